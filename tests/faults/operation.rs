//! What is under way when a fault strikes.

use super::support::raw::Request;

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

pub(crate) const ALL: [(Operation, &str, &str); 4] = [
    (Operation::Call, "call", "a call"),
    (
        Operation::IdempotentCall,
        "idempotent_call",
        "a call of an idempotent tool",
    ),
    (Operation::List, "list", "listing the tools"),
    (Operation::Stream, "stream", "the stream of announcements"),
];

impl Operation {
    pub(crate) fn named(name: &str) -> Self {
        let found = ALL.iter().find(|(_, own, _)| *own == name);
        found.unwrap_or_else(|| panic!("no operation `{name}`")).0
    }

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
