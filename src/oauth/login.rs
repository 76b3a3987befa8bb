//! The user's part in a login: the sign-in page, its response, and the record of both that all
//! processes share.

pub(in crate::oauth) mod browser;
pub(in crate::oauth) mod callback;
pub(in crate::oauth) mod login_error;
pub(in crate::oauth) mod login_record;
pub(in crate::oauth) mod pending;
pub(in crate::oauth) mod response;
