//! Ends the stream that an answer was to come on (SEP-1699), as a server does that lets its
//! clients poll.

use std::time::Duration;

use rmcp::RoleServer;
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;

/// After how long the client is told to come back.
const RETRY: Duration = Duration::from_millis(100);

/// After how long the answer is there: the SDK does not keep it for a client that comes later.
pub(crate) const HELD: Duration = Duration::from_secs(1);

/// How many requests a session may have sent before: the SDK counts them and tells no handler.
const STREAMS: u64 = 64;

/// Closes the streams of all requests that this session waits for.
pub(crate) async fn close(sessions: &LocalSessionManager, context: &RequestContext<RoleServer>) {
    let parts = context.extensions.get::<http::request::Parts>();
    let session = parts.and_then(|parts| parts.headers.get("mcp-session-id")?.to_str().ok());
    let Some(session) = session else { return };
    let handle = sessions.sessions.read().await.get(session).cloned();
    let Some(handle) = handle else { return };
    for stream in 0..STREAMS {
        // Those that are over are an error.
        handle.close_sse_stream(stream, Some(RETRY)).await.ok();
    }
}
