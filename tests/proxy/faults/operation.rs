//! What is under way when a fault strikes.

use testkit::raw::Request;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A call of a tool that declares nothing.
    Call,
    /// A call of a tool that declares itself idempotent.
    IdempotentCall,
    /// The upstream's tools are listed again, for it said that they have changed.
    List,
    /// The stream on which the upstream announces changes is open.
    Stream,
}

/// Each operation, with what it is called on the page.
pub(crate) const ALL: [(Operation, &str); 4] = [
    (Operation::Call, "a call"),
    (Operation::IdempotentCall, "a call of an idempotent tool"),
    (Operation::List, "listing the tools"),
    (Operation::Stream, "the stream of announcements"),
];

impl Operation {
    /// The tool that is called.
    pub(crate) fn tool(self) -> &'static str {
        match self {
            Self::IdempotentCall => "put",
            _ => "add",
        }
    }

    /// Whether this is a request of it.
    pub(crate) fn is(self, request: &Request) -> bool {
        match self {
            Self::Call | Self::IdempotentCall => request.is("tools/call"),
            Self::List => request.is("tools/list"),
            Self::Stream => request.method == "GET" || request.is("subscriptions/listen"),
        }
    }
}
