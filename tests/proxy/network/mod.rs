//! Time and dead connections: whatever a pipe to an upstream does, a call ends in bounded time with
//! an error that says how, and nothing that may have run is sent again.

mod connection_renewal;
mod event_streams;
mod interceptor;
mod interruptions;
mod progress;
mod size_limits;
mod slow_responses;
mod timeouts;

use serde_json::Value;

/// The code, the outcome and the text of a failed call.
fn failure(failed: &Value) -> (i64, &str, &str) {
    let error = &failed["error"];
    let told = error["message"].as_str();
    (
        error["code"].as_i64().unwrap_or_default(),
        error["data"]["outcome"].as_str().unwrap_or_default(),
        told.unwrap_or_else(|| panic!("no error in {failed}")),
    )
}
