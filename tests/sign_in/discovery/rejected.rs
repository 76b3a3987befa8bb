//! Documents, addresses and redirects that must not be used.

use super::*;

#[tokio::test]
async fn unsafe_metadata_url_of_a_challenge_is_not_requested() {
    for named in [
        "file:///etc/passwd",
        "http://169.254.169.254/latest",
        "/relative",
        "https://x.example/\"",
    ] {
        let sound = serve_itself(&[
            (RESOURCE_PATH, resource("{}/mcp", &["{}"])),
            (SERVER, metadata("{}")),
        ]);
        let discovered = discover_with(&sound, |it| it.resource_metadata = Some(named)).await;
        assert_eq!(issuer(&discovered.unwrap()), sound.url_of(""), "{named}");

        let bare = serve(vec![]);
        let error = discover_with(&bare, |it| it.resource_metadata = Some(named)).await;
        let error = error.unwrap_err();
        assert!(
            matches!(
                error,
                DiscoveryError::Address {
                    member: "resource_metadata",
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[tokio::test]
async fn metadata_with_another_issuer_is_rejected() {
    for other in ["{}/", "https://honest.example"] {
        let upstream = serve_itself(&[
            (RESOURCE_PATH, resource("{}/mcp", &["{}"])),
            (SERVER, metadata(other)),
        ]);
        let error = discover_with(&upstream, |_| {}).await.unwrap_err();
        let found = other.replace("{}", &upstream.url_of(""));
        let expected = upstream.url_of("");
        assert_eq!(error, DiscoveryError::IssuerMismatch { expected, found });
        assert!(!error.is_transient());
        // The next document may name the right issuer.
        assert_eq!(paths(&upstream), [RESOURCE_PATH, SERVER, OPENID]);
    }
}

#[tokio::test]
async fn metadata_of_another_resource_is_rejected() {
    let upstream = serve_itself(&[
        (
            RESOURCE_PATH,
            resource("https://evil.example.com/mcp", &["{}"]),
        ),
        (SERVER, metadata("{}")),
    ]);
    for pinned in [None, Some(upstream.url_of(""))] {
        let error = discover_with(&upstream, |it| it.pinned_issuer = pinned.as_deref())
            .await
            .unwrap_err();
        assert!(
            matches!(error, DiscoveryError::ResourceMismatch { .. }),
            "{error}"
        );
    }
    assert!(!paths(&upstream).contains(&SERVER.to_owned()));
}

#[tokio::test]
async fn redirects_are_followed_within_the_origin_only() {
    let trap = serve_itself(&[("/x", resource("{}", &["{}"]))]);
    let there = trap.url_of("/x");
    let away = serve(vec![(
        RESOURCE_PATH,
        reply(move || Reply::status(302).header("location", &there)),
    )]);
    assert_eq!(found(&away).await.source, MetadataSource::Assumed);
    assert_eq!(paths(&trap), [""; 0]);

    let moved = raw::server(|request| {
        let here = format!("http://{}", request.header("host").unwrap());
        std::future::ready(match request.path.as_str() {
            RESOURCE_PATH => Reply::status(307).header("location", "/moved"),
            "/moved" => Reply::json(resource(&here, &[&here]).to_string()),
            SERVER => Reply::json(metadata(&here).to_string()),
            _ => Reply::status(302).header("location", "/round"),
        })
    });
    assert_eq!(issuer(&found(&moved).await), moved.url_of(""));
    assert_eq!(paths(&moved), [RESOURCE_PATH, "/moved", SERVER]);

    let round = serve(vec![(
        RESOURCE_PATH,
        reply(|| Reply::status(302).header("location", RESOURCE_PATH)),
    )]);
    assert_eq!(found(&round).await.source, MetadataSource::Assumed);
    assert_eq!(
        paths(&round)[..5],
        [
            RESOURCE_PATH,
            RESOURCE_PATH,
            RESOURCE_PATH,
            RESOURCE_PATH,
            RESOURCE_ROOT
        ]
    );
}

#[tokio::test]
async fn hostile_endpoint_urls_are_rejected() {
    for (member, text) in [
        ("authorization_endpoint", "file:///etc/passwd"),
        (
            "authorization_endpoint",
            "a:$(cmd.exe /c whoami > c:\\temp\\pwned.txt)",
        ),
        (
            "authorization_endpoint",
            "http://auth.example.com/authorize",
        ),
        ("token_endpoint", "https://auth.example.com/\"&calc"),
        (
            "registration_endpoint",
            "https://auth.example.com/\u{1b}[2J",
        ),
    ] {
        let mut document = metadata("{}");
        document[member] = json!(text);
        let upstream = serve_itself(&[
            (RESOURCE_PATH, resource("{}/mcp", &["{}"])),
            (SERVER, document),
        ]);
        let error = discover_with(&upstream, |_| {}).await.unwrap_err();
        assert!(
            matches!(error, DiscoveryError::Address { member: named, .. } if named == member),
            "{error}"
        );
        assert!(
            error.to_string().chars().all(|c| !c.is_control()),
            "{error}"
        );
    }
}

#[tokio::test]
async fn no_request_carries_a_secret_or_opens_an_event_stream() {
    let upstream = serve_itself(&[
        (RESOURCE_PATH, resource("{}/mcp", &["{}"])),
        (SERVER, metadata("{}")),
    ]);
    found(&upstream).await;
    let requests = upstream.requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert_eq!(request.method, "GET");
        assert!(!request.path.contains("hunter2"), "{}", request.path);
        assert_eq!(request.header("accept"), Some("application/json"));
        for name in ["authorization", "cookie", "referer"] {
            assert_eq!(request.header(name), None);
        }
    }
}
