//! The context that the transport gets with a request.

use std::sync::Arc;

use super::deadline::Activity;
use super::send_buffer::SendBuffer;

/// The activity of one request, and the client that its answer is for. Cheap to clone. The default is
/// the context of a request of our own.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestContext {
    /// When the request was last active.
    pub(crate) activity: Activity,
    /// The client's send buffer; `None` for a request of our own.
    pub(crate) send_buffer: Option<Arc<SendBuffer>>,
}
