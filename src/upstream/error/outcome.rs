//! Whether a failed request may have run.

/// Whether a request that failed may have had an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream did not process the request: it is safe to send it again.
    NotRun,
    /// The request was sent; whether it ran is unknown.
    Unknown,
}
