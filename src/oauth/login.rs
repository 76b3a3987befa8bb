//! The user's part in a login: the sign-in page and its response. All processes share the record of
//! both.

pub(in crate::oauth) mod browser;
pub(in crate::oauth) mod callback;
pub(in crate::oauth) mod login_error;
pub(in crate::oauth) mod login_record;
pub(in crate::oauth) mod pending;
pub(in crate::oauth) mod response;
