//! Pasted responses.

use super::*;

#[test]
fn a_paste_is_an_address_a_query_or_a_code() {
    let query = "code=c%2Fd&state=the-state";
    let address = format!("http://127.0.0.1:50000/callback?{query}");
    let cases = [
        address.clone(),
        format!("  {address}\r\n"),
        format!("\"{address}\""),
        format!("'{address}' "),
        format!("<{address}>"),
        format!("“{address}”"),
        format!("`{address}`\n"),
        format!("\u{feff}{address}\u{200b}"),
        // As a terminal breaks the line.
        address.replace("&state", "\n  &state"),
        format!("{address}#"),
        format!("{address}#fragment"),
        address.replace("http", "HTTP"),
        address.replace("127.0.0.1:50000", "forwarded.example.com"),
        format!("127.0.0.1:50000/callback?{query}"),
        format!("/callback?{query}"),
        format!("?{query}"),
        query.to_owned(),
        "c/d".to_owned(),
        " 'c/d' ".to_owned(),
        "c%2Fd".to_owned(),
    ];
    for text in cases {
        let pasted = code(AuthorizationResponse::from_paste(&text), None);
        assert_eq!(pasted, Ok("c/d".to_owned()), "{text:?}");
    }
}

#[test]
fn a_bare_code_may_contain_delimiters_of_a_query() {
    for text in [
        "abc==",
        "a=b",
        "a+b",
        "a&b",
        "a#b",
        "a%b",
        "4-0A_b.c~d",
        "a%zz",
    ] {
        let pasted = code(AuthorizationResponse::from_paste(text), None);
        assert_eq!(pasted, Ok(text.to_owned()));
    }
    let pasted = code(AuthorizationResponse::from_paste("4%2F0A+b%3D%3D"), None);
    assert_eq!(pasted, Ok("4/0A+b==".to_owned()));
}

#[test]
fn any_other_paste_is_rejected() {
    let long = "a".repeat(MAX_PASTE + 1);
    let cases = [
        ("", LoginError::NotAResponse),
        (" \n", LoginError::NotAResponse),
        ("\"\"", LoginError::NotAResponse),
        ("ü", LoginError::NotAResponse),
        ("http://", LoginError::NotAResponse),
        ("http://127.0.0.1:50000/callback", LoginError::NotAResponse),
        (
            "http://127.0.0.1:50000/callback#code=c",
            LoginError::NotAResponse,
        ),
        (&long, LoginError::NotAResponse),
        (
            "https://auth.example.com/authorize?response_type=code&state=the-state",
            LoginError::SignInPage,
        ),
        (
            "?response_type=code&state=the-state",
            LoginError::SignInPage,
        ),
        (
            "http://127.0.0.1/callback?code=c&state=forged",
            LoginError::StateMismatch,
        ),
        (
            "http://127.0.0.1/callback?code=c",
            LoginError::StateMismatch,
        ),
        ("code=c", LoginError::StateMismatch),
    ];
    for (text, error) in cases {
        let pasted = code(AuthorizationResponse::from_paste(text), None);
        assert_eq!(pasted, Err(error), "{text:?}");
    }
}

#[test]
fn a_bare_code_is_rejected_if_the_server_sends_iss() {
    let pasted = || AuthorizationResponse::from_paste("abc");
    assert_eq!(code(pasted(), None), Ok("abc".to_owned()));
    let recorded = ISSUER.to_owned();
    assert_eq!(
        code(pasted(), Some(true)),
        Err(LoginError::BareCode { recorded })
    );
}
