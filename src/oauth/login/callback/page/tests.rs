//! The content of the pages, and what they must not contain.

use super::*;

const HOSTILE: &str = "</title><script>alert('1')</script><img src=x onerror=\"a\">&amp;";

fn text(page: &Page, upstream: &str) -> String {
    String::from_utf8(page.http_response(upstream)).unwrap()
}

#[test]
fn a_page_escapes_everything_it_shows() {
    let shown = "&lt;/title&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;\
                 &lt;img src=x onerror=&quot;a&quot;&gt;&amp;amp;";
    let reason = Page::Failed(HOSTILE.to_owned());
    for (page, upstream) in [
        (Page::SignedIn, HOSTILE),
        (Page::Denied, HOSTILE),
        (reason.clone(), HOSTILE),
        (reason, "linear"),
    ] {
        let text = text(&page, upstream);
        assert!(text.contains(shown), "{text}");
        assert!(!text.contains("<script"), "{text}");
        assert!(!text.contains("<img"), "{text}");
        assert_eq!(text.matches("</title>").count(), 1, "{text}");
    }
    let refused = String::from_utf8(rejection("400 Bad Request", HOSTILE)).unwrap();
    assert!(!refused.contains("<script"), "{refused}");
}

#[test]
fn the_name_of_an_upstream_cannot_inject_headers() {
    let text = text(&Page::SignedIn, "a\r\nset-cookie: b=c\r\n\r\nd");
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    assert!(!head.contains("set-cookie"), "{head}");
}

#[test]
fn a_page_loads_nothing_and_is_not_cached() {
    let text = text(&Page::SignedIn, "linear");
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let style = body.split_once("<style>").unwrap().1;
    let style = style.split_once("</style>").unwrap().0;
    let hash = STANDARD.encode(Sha256::digest(style));
    let policy = format!("content-security-policy: default-src 'none'; style-src 'sha256-{hash}';");
    assert!(head.contains(&policy), "{head}");
    for line in [
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "connection: close",
        &format!("content-length: {}", body.len()),
    ] {
        assert!(head.lines().any(|it| it == line), "{line} in {head}");
    }
    for loading in [
        "src=", "href", "url(", "style=", "@import", "<script", "<form",
    ] {
        assert!(!body.contains(loading), "{loading}");
    }
}

#[test]
fn a_page_says_how_it_ended_and_what_to_do() {
    let refused = LoginError::from_error_code("invalid_scope", Some("no <b>such</b> scope"));
    let pages = [
        Page::SignedIn,
        Page::Denied,
        Page::for_error(&refused),
        Page::Stale,
    ];
    let texts = pages.map(|page| {
        let text = text(&page, "linear");
        let status = text.lines().next().unwrap().to_owned();
        let body = text.split_once("<h1>").unwrap().1;
        let body = body.split_once("<footer>").unwrap().0;
        let body = body.replace("</h1>\n<p>", "\n").replace("</p>\n", "");
        format!("{status}\n{body}")
    });
    insta::assert_snapshot!(texts.join("\n\n"));
}

#[test]
fn every_error_has_a_page() {
    let denied = LoginError::from_error_code("access_denied", Some("<b>"));
    assert_eq!(Page::for_error(&denied), Page::Denied);
    assert_eq!(Page::for_error(&LoginError::StateMismatch), Page::Stale);
    let other = LoginError::NotAResponse;
    assert_eq!(Page::for_error(&other), Page::Failed(other.to_string()));
}
