//! Which documents are requested, in which order, and which authorization server is selected.

use super::*;

#[tokio::test]
async fn well_known_urls_are_requested_in_order_until_one_answers() {
    let upstream = serve_itself(&[
        (RESOURCE_ROOT, resource("{}", &["{}/t1"])),
        ("/t1/.well-known/openid-configuration", metadata("{}/t1")),
    ]);
    let discovered = found(&upstream).await;

    assert_eq!(issuer(&discovered), upstream.url_of("/t1"));
    assert_eq!(
        discovered.resource,
        upstream.url_of(""),
        "as it was published"
    );
    assert_eq!(discovered.source, MetadataSource::Published);
    let expected = [
        RESOURCE_PATH,
        RESOURCE_ROOT,
        "/.well-known/oauth-authorization-server/t1",
        "/.well-known/openid-configuration/t1",
        "/t1/.well-known/openid-configuration",
    ];
    assert_eq!(paths(&upstream), expected);
    let page = discovered.authorization_server;
    let page = page.authorization_endpoint(Pkce::Required).unwrap();
    assert_eq!(page.as_url().as_str(), upstream.url_of("/t1/a"));
}

#[tokio::test]
async fn metadata_url_of_the_challenge_is_requested_first() {
    let upstream = serve_itself(&[
        ("/custom/location.json?v=1", resource("{}/mcp", &["{}"])),
        (RESOURCE_PATH, resource("{}/mcp", &["https://trap.example"])),
        (SERVER, metadata("{}")),
    ]);
    let named = upstream.url_of("/custom/location.json?v=1");
    let discovered = discover_with(&upstream, |it| it.resource_metadata = Some(&named)).await;
    assert_eq!(issuer(&discovered.unwrap()), upstream.url_of(""));
    assert_eq!(paths(&upstream), ["/custom/location.json?v=1", SERVER]);
}

#[tokio::test]
async fn server_without_metadata_is_treated_as_2025_03_26() {
    let upstream = serve(vec![]);
    let discovered = found(&upstream).await;
    assert_eq!(discovered.source, MetadataSource::Assumed);
    assert_eq!(discovered.resource, upstream.url_of("/mcp"));
    let server = &discovered.authorization_server;
    assert_eq!(
        server.token_endpoint.as_url().as_str(),
        upstream.url_of("/token")
    );
    assert_eq!(
        paths(&upstream),
        [RESOURCE_PATH, RESOURCE_ROOT, SERVER, OPENID]
    );
    let versions = upstream
        .requests()
        .into_iter()
        .map(|request| request.header("mcp-protocol-version").map(str::to_owned));
    let version = || Some("2025-03-26".to_owned());
    assert_eq!(
        versions.collect::<Vec<_>>(),
        [None, None, version(), version()]
    );
}

#[tokio::test]
async fn origin_may_be_its_own_issuer_with_or_without_a_slash() {
    for spelling in ["{}", "{}/"] {
        let upstream = serve_itself(&[(SERVER, metadata(spelling))]);
        let discovered = found(&upstream).await;
        assert_eq!(discovered.source, MetadataSource::Published);
        assert_eq!(
            issuer(&discovered),
            spelling.replace("{}", &upstream.url_of(""))
        );
    }
    let upstream = serve_itself(&[(SERVER, metadata("https://honest.example"))]);
    let error = discover_with(&upstream, |_| {}).await.unwrap_err();
    assert!(
        matches!(error, DiscoveryError::IssuerMismatch { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn missing_document_of_a_challenge_is_an_error() {
    let upstream = serve_itself(&[(SERVER, metadata("{}"))]);
    let named = upstream.url_of("/gone");
    let error = discover_with(&upstream, |it| it.resource_metadata = Some(&named))
        .await
        .unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, DiscoveryError::NotFound { .. }), "{error}");
    assert!(
        message.contains(&format!("`{named}`: HTTP 404 Not Found")),
        "{message}"
    );
    assert_eq!(paths(&upstream), ["/gone", RESOURCE_PATH, RESOURCE_ROOT]);
}

#[tokio::test]
async fn first_working_authorization_server_of_several_is_used() {
    let (silent, missing) = (raw::server(|_| async { Reply::hang() }), serve(vec![]));
    let one = serve_itself(&[(SERVER, metadata("{}"))]);
    let two = serve_itself(&[(SERVER, metadata("{}"))]);
    let bad = "http://auth.example.com".to_owned();
    let origins = [&missing, &one, &two].map(|server| server.url_of(""));
    let upstream = trusting(&[&[bad][..], &origins].concat());
    assert_eq!(issuer(&found(&upstream).await), origins[1]);
    assert_eq!(paths(&two), [""; 0]);

    let known = discover_with(&upstream, |it| it.preferred_issuer = Some(&origins[2]))
        .await
        .unwrap();
    assert_eq!(issuer(&known), origins[2]);
    let forgotten = discover_with(&upstream, |it| {
        it.preferred_issuer = Some("https://gone.example");
    })
    .await
    .unwrap();
    assert_eq!(issuer(&forgotten), origins[1]);

    let upstream = trusting(&[silent.url_of("/t1"), origins[1].clone()]);
    let short = |it: &mut DiscoveryRequest<'_>| it.document_timeout = Duration::from_secs(2);
    assert_eq!(
        issuer(&discover_with(&upstream, short).await.unwrap()),
        origins[1]
    );
    // The preferred issuer holds the client registration, so its failure is an error.
    let hanging = silent.url_of("/t1");
    let error = discover_with(&upstream, |it| {
        it.document_timeout = Duration::from_secs(1);
        it.preferred_issuer = Some(&hanging);
    });
    assert!(error.await.unwrap_err().is_transient());
}

#[tokio::test]
async fn only_the_pinned_authorization_server_is_used() {
    let pinned = serve_itself(&[(SERVER, metadata("{}"))]);
    let trap = serve_itself(&[(SERVER, metadata("{}"))]);
    let origin = pinned.url_of("");
    let bare = serve(vec![]);
    for upstream in [&trusting(&[trap.url_of("")]), &bare] {
        let discovered = discover_with(upstream, |it| it.pinned_issuer = Some(&origin))
            .await
            .unwrap();
        assert_eq!(issuer(&discovered), origin);
    }
    assert_eq!(paths(&trap), [""; 0]);
    let gone = trap.url_of("/gone");
    let error = discover_with(&bare, |it| it.pinned_issuer = Some(&gone))
        .await
        .unwrap_err();
    assert!(matches!(error, DiscoveryError::NotFound { .. }), "{error}");
}

#[tokio::test]
async fn resource_without_authorization_servers_is_an_error() {
    let upstream = trusting(&[]);
    let error = discover_with(&upstream, |_| {}).await.unwrap_err();
    assert_eq!(error, DiscoveryError::NoAuthorizationServer);
}
