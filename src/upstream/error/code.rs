//! The codes of the errors that the proxy itself returns.
//!
//! They are outside the range that JSON-RPC and MCP reserve (MCP 2026-07-28 § Error Codes). So no client
//! takes one for an error of an upstream.

/// No connection to the upstream.
pub const UNAVAILABLE: i64 = -31001;
/// The upstream requires credentials.
pub const LOGIN_REQUIRED: i64 = -31002;
/// No response in time.
pub const TIMEOUT: i64 = -31003;
/// The connection was lost before the response.
pub const INTERRUPTED: i64 = -31004;
/// An HTTP status without a JSON-RPC message.
pub const HTTP_STATUS: i64 = -31005;
/// A response that is not valid.
pub const INVALID_RESPONSE: i64 = -31006;
/// A response over the size limit.
pub const TOO_LARGE: i64 = -31007;

/// Too many concurrent calls.
pub const BUSY: i64 = -31008;
