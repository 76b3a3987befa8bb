//! What has to be seen of each fault, and why.

use super::fault::Fault;
use super::operation::Operation;
use super::seen::{Back, Client, Seen};
use testkit::upstream::Kind;

/// A cell: what has to be seen, and the reason in a word.
#[derive(Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) seen: Seen,
    pub(crate) why: &'static str,
}

/// What has to be seen; `None` where the fault makes no sense.
pub(crate) fn cell(kind: Kind, fault: Fault, operation: Operation) -> Option<Expected> {
    match operation {
        Operation::Call => call(kind, fault),
        Operation::IdempotentCall => repeated(fault).or_else(|| call(kind, fault)),
        Operation::List => Some(list(fault)),
        Operation::Stream => Some(stream(fault)),
    }
    .filter(|_| makes_sense(kind, fault, operation))
}

/// Which cells there are: all of a legacy upstream, and of the others what is different there.
fn makes_sense(kind: Kind, fault: Fault, operation: Operation) -> bool {
    let is_call = operation == Operation::Call;
    match (kind, fault) {
        (Kind::Legacy, _) => true,
        // A modern one has no sessions.
        (Kind::Modern, Fault::NoSession) => false,
        (Kind::Modern, Fault::OtherEra) => true,
        (Kind::Modern, Fault::Restarted | Fault::ResetAfterRequest | Fault::Asleep) if is_call => {
            true
        }
        // A subscription that only a person can mend is left alone for minutes.
        (Kind::Modern, _) => operation == Operation::Stream && !fault.needs_a_person(),
        // It is configured to be of this kind.
        (Kind::HttpSse, Fault::OtherEra) => false,
        (
            Kind::HttpSse,
            Fault::RefusedForAMoment
            | Fault::ResetAfterRequest
            | Fault::TooManyRequests
            | Fault::NoSession
            | Fault::Restarted
            | Fault::Asleep,
        ) if is_call => true,
        (Kind::HttpSse, _) => operation == Operation::Stream && !fault.needs_a_person(),
    }
}

/// A call that declares nothing of itself.
fn call(kind: Kind, fault: Fault) -> Option<Expected> {
    use Back::{AfterRetryAfter, NextCall, SameCall};
    const NOT_RUN: &str = "not run";
    const UNKNOWN: &str = "unknown";
    let result = Client::Result;
    let (client, ran, asked, back, why) = match fault {
        Fault::RefusedForAMoment => (result, 1, Some(1), SameCall, "the call waits"),
        Fault::Refused | Fault::NoSuchName => {
            let error = Client::Error(-31001, NOT_RUN);
            (error, 0, Some(0), NextCall, "nobody heard it")
        }
        Fault::Hangs => {
            let error = Client::Error(-31003, UNKNOWN);
            (error, 0, Some(0), NextCall, "it was sent")
        }
        Fault::ResetAtConnect => {
            // Whether it was sent by then is chance.
            let error = Client::Either((-31001, NOT_RUN), (-31004, UNKNOWN));
            (error, 0, Some(0), NextCall, "it may have been read")
        }
        Fault::ResetAfterRequest | Fault::CutReply => {
            let error = Client::Error(-31004, UNKNOWN);
            (error, 1, Some(1), NextCall, "it may have run")
        }
        Fault::HalfAnEvent => {
            let error = Client::Error(-31003, UNKNOWN);
            (error, 1, Some(1), NextCall, "it may have run")
        }
        Fault::Restarted if kind == Kind::Modern => {
            (result, 1, Some(1), SameCall, "nothing is lost")
        }
        // Whether the call or the stream meets the new server first is chance.
        Fault::NoSession | Fault::Restarted => (result, 1, None, SameCall, "it was refused"),
        Fault::OtherEra => (result, 1, None, SameCall, "it was refused"),
        Fault::Unauthorized => {
            let error = Client::Error(-31002, NOT_RUN);
            (error, 0, Some(1), NextCall, "it was refused")
        }
        Fault::TooManyRequests | Fault::UnavailableForNow => {
            (result, 1, Some(2), AfterRetryAfter, "it was put off")
        }
        Fault::InternalError | Fault::Unavailable => {
            let error = Client::Error(-31005, UNKNOWN);
            (error, 0, Some(1), NextCall, "it may have run")
        }
        Fault::RedirectLoop => {
            let error = Client::Error(-31005, NOT_RUN);
            (error, 0, Some(4), NextCall, "it was sent elsewhere")
        }
        Fault::WrongType => {
            let error = Client::Error(-31006, UNKNOWN);
            (error, 0, Some(1), NextCall, "it may have run")
        }
        Fault::GzipBomb => {
            let error = Client::Error(-31007, UNKNOWN);
            (error, 0, Some(1), NextCall, "it may have run")
        }
        Fault::SlowDrip => (result, 1, Some(1), SameCall, "slow is not silent"),
        Fault::Asleep => (result, 1, Some(1), SameCall, "old connections are dropped"),
    };
    let ran = Some(ran);
    Some(Expected {
        seen: Seen {
            client,
            ran,
            asked,
            back,
        },
        why,
    })
}

/// A call that may be sent again, where that makes a difference.
fn repeated(fault: Fault) -> Option<Expected> {
    matches!(fault, Fault::ResetAfterRequest | Fault::CutReply).then_some(Expected {
        seen: Seen {
            client: Client::Result,
            ran: Some(2),
            asked: Some(2),
            back: Back::SameCall,
        },
        why: "it does no harm twice",
    })
}

/// The listing: the client gets the last one, and hears when there is another.
fn list(fault: Fault) -> Expected {
    let back = match fault {
        // What only a person can mend is not asked again and again.
        Fault::Unauthorized | Fault::RedirectLoop => Back::NextAnnouncement,
        _ => Back::ByItself,
    };
    Expected {
        seen: Seen {
            client: Client::Result,
            ran: None,
            asked: fault.requests(),
            back,
        },
        why: "the last one stays",
    }
}

/// The stream: nothing that was said is missed, not even what was said to nobody.
fn stream(fault: Fault) -> Expected {
    Expected {
        seen: Seen {
            client: Client::Told,
            ran: None,
            asked: fault.requests(),
            back: Back::ByItself,
        },
        why: "it is opened again, and all is listed",
    }
}
