//! A person's part in a login: the page that is opened, the answer that comes back, and what all
//! processes know of both.

pub(in crate::oauth) mod browser;
pub(in crate::oauth) mod callback;
pub(in crate::oauth) mod login_error;
pub(in crate::oauth) mod logins;
pub(in crate::oauth) mod pending;
pub(in crate::oauth) mod response;
