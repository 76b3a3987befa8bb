//! Where a browser may be opened, and with which addresses.

use super::*;

type Variables = &'static [(&'static str, &'static str)];

fn refused(variables: Variables, needs_display: bool) -> Option<&'static str> {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    refusal_reason(&variables.collect(), needs_display)
}

#[test]
fn a_browser_opens_only_where_the_user_can_see_it() {
    const CI: Option<&str> = Some("`CI` is set");
    const SSH: Option<&str> = Some("this is an SSH session");
    const NO_DISPLAY: Option<&str> = Some("there is no display");
    // The variables, the result with a display required, and the result elsewhere.
    let cases: [(Variables, Option<&str>, Option<&str>); 18] = [
        (&[], NO_DISPLAY, None),
        (&[("DISPLAY", ":0")], None, None),
        (&[("DISPLAY", "")], NO_DISPLAY, None),
        (&[("WAYLAND_DISPLAY", "wayland-0")], None, None),
        (&[("WSL_DISTRO_NAME", "Debian")], None, None),
        (&[("WSL_INTEROP", "/run/WSL/1_interop")], None, None),
        (&[("DISPLAY", ":0"), ("CI", "true")], CI, CI),
        (&[("DISPLAY", ":0"), ("CI", "1")], CI, CI),
        (&[("DISPLAY", ":0"), ("CI", "woodpecker")], CI, CI),
        (&[("DISPLAY", ":0"), ("CI", "false")], None, None),
        (&[("DISPLAY", ":0"), ("CI", "FALSE")], None, None),
        (&[("DISPLAY", ":0"), ("CI", "0")], None, None),
        (&[("DISPLAY", ":0"), ("CI", "")], None, None),
        (
            &[("DISPLAY", ":0"), ("SSH_CONNECTION", "a 1 b 2")],
            SSH,
            SSH,
        ),
        (&[("DISPLAY", ":0"), ("SSH_CLIENT", "a 1 2")], SSH, SSH),
        (&[("DISPLAY", ":0"), ("SSH_TTY", "/dev/pts/0")], SSH, SSH),
        (
            &[("WSL_DISTRO_NAME", "Debian"), ("SSH_TTY", "/dev/pts/0")],
            SSH,
            SSH,
        ),
        (&[("CI", "true"), ("SSH_TTY", "/dev/pts/0")], CI, CI),
    ];
    for (variables, on_linux, elsewhere) in cases {
        assert_eq!(refused(variables, true), on_linux, "{variables:?}");
        assert_eq!(refused(variables, false), elsewhere, "{variables:?}");
    }
}

#[test]
fn a_web_address_is_opened_as_written() {
    let good = [
        "https://auth.example.com/authorize?response_type=code&state=a-b_c~d.e&scope=a+b%20c",
        "https://auth.example.com:8443/a;b=c/@d,e*!?x=[y]",
        "http://127.0.0.1:9/authorize?x=1",
        "http://[::1]:9/authorize?x=1",
        "https://xn--bcher-kva.example/authorize",
    ];
    for text in good {
        assert_eq!(
            checked_url(text).map(|url| url.to_string()),
            Ok(text.to_owned())
        );
    }
}

#[tokio::test]
async fn no_page_opens_where_none_may() {
    let browser = Browser {
        refusal: Some("`CI` is set"),
    };
    assert_eq!(browser.can_open(), Err("`CI` is set"));
    let error = browser.open("https://auth.example.com/").await.unwrap_err();
    assert_eq!(error.to_string(), "`CI` is set");
}
