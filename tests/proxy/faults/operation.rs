//! The operation in progress when a fault begins.

use testkit::raw::Request;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A call of a tool without annotations.
    Call,
    /// A call of a tool with `idempotentHint`.
    IdempotentCall,
    /// The proxy lists the server's tools again, after a change notification.
    ToolListing,
    /// The event stream, on which the server sends change notifications, is open.
    EventStream,
}

/// Each operation, with its column header on the page.
pub(crate) const ALL: [(Operation, &str); 4] = [
    (Operation::Call, "call"),
    (Operation::IdempotentCall, "call of an idempotent tool"),
    (Operation::ToolListing, "tool listing"),
    (Operation::EventStream, "event stream"),
];

impl Operation {
    /// The tool to call.
    pub(crate) fn tool(self) -> &'static str {
        match self {
            Self::IdempotentCall => "put",
            _ => "add",
        }
    }

    /// Returns `true` if `request` belongs to this operation.
    pub(crate) fn includes(self, request: &Request) -> bool {
        match self {
            Self::Call | Self::IdempotentCall => request.is("tools/call"),
            Self::ToolListing => request.is("tools/list"),
            Self::EventStream => request.method == "GET" || request.is("subscriptions/listen"),
        }
    }
}
