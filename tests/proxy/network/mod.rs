//! Network faults.
//!
//! A call ends in bounded time with an error that names the cause. A call that may have run is not sent again.

mod connection_renewal;
mod event_streams;
mod interceptor;
mod interruptions;
mod progress;
mod size_limits;
mod slow_responses;
mod timeouts;

use serde_json::Value;

/// Returns code, outcome and message of a failed call.
fn failure(failed: &Value) -> (i64, &str, &str) {
    let error = &failed["error"];
    let message = error["message"].as_str();
    (
        error["code"].as_i64().unwrap_or_default(),
        error["data"]["outcome"].as_str().unwrap_or_default(),
        message.unwrap_or_else(|| panic!("no error in {failed}")),
    )
}
