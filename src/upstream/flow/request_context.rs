//! The context that the transport gets with a request.

use std::sync::{Arc, Weak};

use super::deadline::Activity;
use super::send_buffer::SendBuffer;
use crate::sync::Mutex;

/// The client that reads what one stream carries: the one that last sent a request on its connection.
#[derive(Debug, Default)]
pub(crate) struct StreamReader(Mutex<Weak<SendBuffer>>);

impl StreamReader {
    /// Makes the client of this buffer the reader.
    pub(crate) fn bind(&self, send_buffer: &Arc<SendBuffer>) {
        *self.0.lock() = Arc::downgrade(send_buffer);
    }

    /// Returns the reader's send buffer; `None` before the first request, and after the client has left.
    pub(crate) fn send_buffer(&self) -> Option<Arc<SendBuffer>> {
        self.0.lock().upgrade()
    }
}

/// The activity of one request, and the client that its answer is for. Cheap to clone. The default is
/// the context of a request of our own.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestContext {
    /// When the request was last active.
    pub(crate) activity: Activity,
    /// The client's send buffer; `None` for a request of our own.
    pub(crate) send_buffer: Option<Arc<SendBuffer>>,
}
