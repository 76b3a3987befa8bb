//! Two clients of one router, each over a pipe of its own: nothing of one reaches the other.

mod leaving;
mod notified;
mod requests;
mod scene;
mod server_requests;
mod tasks;
