//! The context of a request in the transport.

use std::sync::Arc;

use super::deadline::Activity;
use super::send_buffer::SendBuffer;

/// The activity of one request, and the client that reads its response. Cheap to clone.
///
/// The default is the context of one of the proxy's own requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestContext {
    /// The time of the request's last activity.
    pub(crate) activity: Activity,
    /// The client's send buffer; `None` for the proxy's own requests.
    pub(crate) send_buffer: Option<Arc<SendBuffer>>,
}
