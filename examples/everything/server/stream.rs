//! Ends the stream of a response early (SEP-1699), as a server does whose clients poll.

use std::time::Duration;

use rmcp::RoleServer;
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;

/// The reconnect delay that the stream sends to the client.
const RETRY: Duration = Duration::from_millis(100);

/// When the response is sent: the SDK does not store it for a client that reconnects later.
pub(crate) const HELD: Duration = Duration::from_secs(1);

/// The highest stream number that is tried: the SDK numbers the streams, but handlers do not get the
/// number.
const STREAMS: u64 = 64;

/// Closes the streams of all pending requests of this session.
pub(crate) async fn close(sessions: &LocalSessionManager, context: &RequestContext<RoleServer>) {
    let parts = context.extensions.get::<http::request::Parts>();
    let session = parts.and_then(|parts| parts.headers.get("mcp-session-id")?.to_str().ok());
    let Some(session) = session else { return };
    let handle = sessions.sessions.read().await.get(session).cloned();
    let Some(handle) = handle else { return };
    for stream in 0..STREAMS {
        // Closing fails for streams that have ended.
        handle.close_sse_stream(stream, Some(RETRY)).await.ok();
    }
}
