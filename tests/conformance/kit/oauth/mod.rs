//! Tests of the test authorization server, with a plain client.

mod authorization_code;
mod client_registration;
mod controls;
mod device_grant;
mod discovery;
mod protected;
mod raw_client;
mod refresh;
