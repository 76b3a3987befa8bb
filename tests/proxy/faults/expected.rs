//! The expected observation of each fault, and its reason.

use super::fault::Fault;
use super::observation::{ClientOutcome, Observation, Recovery};
use super::operation::Operation;
use testkit::upstream::Kind;

/// A cell: the expected observation and a short reason.
#[derive(Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) observation: Observation,
    pub(crate) why: &'static str,
}

/// Returns the expectation of one cell; `None` if the cell is not part of the table.
pub(crate) fn cell(kind: Kind, fault: Fault, operation: Operation) -> Option<Expected> {
    match operation {
        Operation::Call => call(kind, fault),
        Operation::IdempotentCall => retried_call(fault).or_else(|| call(kind, fault)),
        Operation::ToolListing => Some(tool_listing(fault)),
        Operation::EventStream => Some(event_stream(fault)),
    }
    .filter(|_| is_in_table(kind, fault, operation))
}

/// Returns `true` for all cells of a legacy server, and for the cells in which other servers differ.
fn is_in_table(kind: Kind, fault: Fault, operation: Operation) -> bool {
    let is_call = operation == Operation::Call;
    match (kind, fault) {
        (Kind::Legacy, _) => true,
        // A modern server has no sessions.
        (Kind::Modern, Fault::SessionLost) => false,
        (Kind::Modern, Fault::OtherEra) => true,
        (Kind::Modern, Fault::Restarted | Fault::ResetAfterRequest | Fault::Suspended)
            if is_call =>
        {
            true
        }
        // The proxy retries a subscription that requires user action only after minutes.
        (Kind::Modern, _) => operation == Operation::EventStream && !fault.requires_user_action(),
        // The configuration fixes this transport.
        (Kind::HttpSse, Fault::OtherEra) => false,
        (
            Kind::HttpSse,
            Fault::RefusedBriefly
            | Fault::ResetAfterRequest
            | Fault::TooManyRequests
            | Fault::SessionLost
            | Fault::Restarted
            | Fault::Suspended,
        ) if is_call => true,
        (Kind::HttpSse, _) => operation == Operation::EventStream && !fault.requires_user_action(),
    }
}

/// The expectation of a call of a tool without annotations.
fn call(kind: Kind, fault: Fault) -> Option<Expected> {
    use Recovery::{NextCall, SameCall, SameCallAfterDelay};
    const NOT_RUN: &str = "not run";
    const UNKNOWN: &str = "unknown";
    let result = ClientOutcome::Result;
    let (client, ran, received, recovery, why) = match fault {
        Fault::RefusedBriefly => (
            result,
            1,
            Some(1),
            SameCall,
            "the call waits for the connection",
        ),
        Fault::Refused | Fault::UnresolvedName => {
            let error = ClientOutcome::Error(-31001, NOT_RUN);
            (error, 0, Some(0), NextCall, "the request was never sent")
        }
        Fault::Hangs => {
            let error = ClientOutcome::Error(-31003, UNKNOWN);
            (error, 0, Some(0), NextCall, "the request was sent")
        }
        Fault::ResetOnConnect => {
            // The proxy may send the request before or after the reset.
            let error = ClientOutcome::EitherError((-31001, NOT_RUN), (-31004, UNKNOWN));
            (
                error,
                0,
                Some(0),
                NextCall,
                "the server may have read the request",
            )
        }
        Fault::ResetAfterRequest | Fault::TruncatedResponse => {
            let error = ClientOutcome::Error(-31004, UNKNOWN);
            (error, 1, Some(1), NextCall, "the call may have run")
        }
        Fault::StalledEvent => {
            let error = ClientOutcome::Error(-31003, UNKNOWN);
            (error, 1, Some(1), NextCall, "the call may have run")
        }
        Fault::Restarted if kind == Kind::Modern => {
            (result, 1, Some(1), SameCall, "there is no session to lose")
        }
        // Either the call or the event stream reaches the new server first.
        Fault::SessionLost | Fault::Restarted | Fault::OtherEra => (
            result,
            1,
            None,
            SameCall,
            "the server rejected the first attempt",
        ),
        Fault::Unauthorized => {
            let error = ClientOutcome::Error(-31002, NOT_RUN);
            (error, 0, Some(1), NextCall, "the server rejected the call")
        }
        Fault::TooManyRequests | Fault::UnavailableWithRetryAfter => (
            result,
            1,
            Some(2),
            SameCallAfterDelay,
            "the server asked for a later retry",
        ),
        Fault::InternalError | Fault::Unavailable => {
            let error = ClientOutcome::Error(-31005, UNKNOWN);
            (error, 0, Some(1), NextCall, "the call may have run")
        }
        Fault::RedirectLoop => {
            let error = ClientOutcome::Error(-31005, NOT_RUN);
            (error, 0, Some(4), NextCall, "a redirect rejects the call")
        }
        Fault::WrongType => {
            let error = ClientOutcome::Error(-31006, UNKNOWN);
            (error, 0, Some(1), NextCall, "the call may have run")
        }
        Fault::GzipBomb => {
            let error = ClientOutcome::Error(-31007, UNKNOWN);
            (error, 0, Some(1), NextCall, "the call may have run")
        }
        Fault::SlowResponse => (
            result,
            1,
            Some(1),
            SameCall,
            "a slow response is no timeout",
        ),
        Fault::Suspended => (
            result,
            1,
            Some(1),
            SameCall,
            "old connections are closed after a resume",
        ),
    };
    Some(Expected {
        observation: Observation {
            client,
            ran: Some(ran),
            received,
            recovery,
        },
        why,
    })
}

/// The expectation of an idempotent call, for the faults after which the proxy retries it.
fn retried_call(fault: Fault) -> Option<Expected> {
    let is_retried = matches!(fault, Fault::ResetAfterRequest | Fault::TruncatedResponse);
    is_retried.then_some(Expected {
        observation: Observation {
            client: ClientOutcome::Result,
            ran: Some(2),
            received: Some(2),
            recovery: Recovery::SameCall,
        },
        why: "the tool is idempotent",
    })
}

/// The expectation of a tool listing: the client receives the last listing, then a change notification.
fn tool_listing(fault: Fault) -> Expected {
    let recovery = match fault {
        // The proxy does not retry soon where only the user can help.
        Fault::Unauthorized | Fault::RedirectLoop => Recovery::NextNotification,
        _ => Recovery::Automatic,
    };
    Expected {
        observation: Observation {
            client: ClientOutcome::Result,
            ran: None,
            received: fault.attempts(),
            recovery,
        },
        why: "the last listing stays in use",
    }
}

/// The expectation of an event stream: the client is notified of all changes.
///
/// This includes changes without a change notification by the server.
fn event_stream(fault: Fault) -> Expected {
    Expected {
        observation: Observation {
            client: ClientOutcome::ChangesNotified,
            ran: None,
            received: fault.attempts(),
            recovery: Recovery::Automatic,
        },
        why: "the proxy reopens the stream and lists everything again",
    }
}
