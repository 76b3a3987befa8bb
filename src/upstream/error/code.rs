//! Codes of the errors that the proxy makes: outside the range that JSON-RPC and MCP reserve
//! (MCP 2026-07-28 § Error Codes), so that none is mistaken for one of an upstream.

/// No connection to the upstream.
pub const UNAVAILABLE: i64 = -31001;
/// The upstream requires credentials.
pub const LOGIN_REQUIRED: i64 = -31002;
/// No answer in time.
pub const TIMEOUT: i64 = -31003;
/// The connection was lost before the answer.
pub const INTERRUPTED: i64 = -31004;
/// An HTTP status without a JSON-RPC message.
pub const HTTP_STATUS: i64 = -31005;
/// An answer that is not valid.
pub const INVALID_RESPONSE: i64 = -31006;
/// An answer over the limit.
pub const TOO_LARGE: i64 = -31007;

/// Too many calls at a time.
pub const BUSY: i64 = -31008;
