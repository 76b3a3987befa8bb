//! Servers that fail, hang, or send something that is no metadata.

use super::*;

#[tokio::test]
async fn failing_metadata_url_is_skipped_or_retried() {
    let upstream = serve_itself(&[(SERVER, metadata("{}"))]);
    let origin = upstream.url_of("");
    // Skipped: the second URL answers.
    let trusting = raw::server({
        let origin = origin.clone();
        move |request| {
            let here = format!("http://{}", request.header("host").unwrap());
            let body = resource(&here, &[&origin]).to_string();
            std::future::ready(match request.path.as_str() {
                RESOURCE_PATH => Reply::status(502),
                RESOURCE_ROOT => Reply::json(body),
                _ => Reply::status(404),
            })
        }
    });
    assert_eq!(issuer(&found(&trusting).await), origin);
    assert_eq!(paths(&trusting), [RESOURCE_PATH, RESOURCE_ROOT]);

    // Retried: the server recovers.
    for trouble in [500, 503, 429, 408] {
        let recovering = serve(vec![(
            RESOURCE_PATH,
            Box::new(move |count| match count {
                1 => Reply::status(trouble),
                _ => Reply::status(404),
            }),
        )]);
        assert_eq!(
            found(&recovering).await.source,
            MetadataSource::Assumed,
            "{trouble}"
        );
        let requested = paths(&recovering);
        assert_eq!(
            requested[..3],
            [RESOURCE_PATH, RESOURCE_ROOT, RESOURCE_PATH]
        );
    }
}

#[tokio::test]
async fn permanent_failure_is_reported_and_never_taken_for_2025_03_26() {
    let answers: [fn() -> Reply; 3] = [|| Reply::status(500), Reply::reset, || Reply::cut("{")];
    for answer in answers {
        let upstream = serve(vec![(RESOURCE_PATH, reply(answer))]);
        let error = discover_with(&upstream, |_| {}).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        let message = error.to_string();
        assert!(
            message.starts_with("cannot read `http://127.0.0.1:"),
            "{message}"
        );
        assert!(message.ends_with("; try again later"), "{message}");
        assert!(!paths(&upstream).contains(&SERVER.to_owned()), "{message}");
    }
    let gone = serve(vec![]);
    gone.stop().await;
    let error = discover_with(&gone, |_| {}).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn hanging_server_costs_one_document_timeout() {
    let upstream = serve(vec![
        (RESOURCE_PATH, reply(Reply::hang)),
        (RESOURCE_ROOT, reply(Reply::hang)),
    ]);
    let error = discover_with(&upstream, |it| {
        it.document_timeout = Duration::from_millis(50);
    })
    .await
    .unwrap_err();
    assert!(error.is_transient(), "{error}");

    // The other URL has no document. The hanging URL is not retried after its timeout.
    let upstream = serve(vec![(RESOURCE_PATH, reply(Reply::hang))]);
    let error = discover_with(&upstream, |it| {
        it.document_timeout = Duration::from_millis(400);
    })
    .await;
    assert!(error.unwrap_err().is_transient());
    assert_eq!(paths(&upstream), [RESOURCE_PATH, RESOURCE_ROOT]);
}

#[tokio::test]
async fn response_without_metadata_counts_as_missing() {
    let page = || Reply::json("<html>hello</html>").header("content-type", "text/html");
    let error = || Reply::json(r#"{"error":"not_found"}"#);
    let answers: [fn() -> Reply; 5] = [
        page,
        error,
        || Reply::status(401),
        || Reply::status(302).header("location", "https://www.example.com/"),
        || Reply::status(204),
    ];
    for answer in answers {
        let everywhere = [RESOURCE_PATH, RESOURCE_ROOT, SERVER, OPENID];
        let upstream = serve(everywhere.map(|path| (path, reply(answer))).into());
        assert_eq!(found(&upstream).await.source, MetadataSource::Assumed);
    }
}

#[tokio::test]
async fn malformed_or_oversized_metadata_is_an_error() {
    let broken: fn() -> Reply = || Reply::json(r#"{"resource":["a"]}"#);
    let large: fn() -> Reply = || Reply::json(" ".repeat(257 << 10));
    for answer in [broken, large] {
        let upstream = serve(vec![(RESOURCE_PATH, reply(answer))]);
        let error = discover_with(&upstream, |_| {}).await.unwrap_err();
        assert!(matches!(error, DiscoveryError::Malformed { .. }), "{error}");
    }
    // An endless body without a content length.
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move { while sender.send(vec![b' '; 1 << 16].into()).await.is_ok() {} });
    let receiver = std::sync::Mutex::new(Some(receiver));
    let endless = move || Reply::stream(receiver.lock().unwrap().take().unwrap());
    let upstream = serve(vec![(RESOURCE_PATH, reply(endless))]);
    let error = discover_with(&upstream, |_| {}).await.unwrap_err();
    assert!(matches!(error, DiscoveryError::Malformed { .. }), "{error}");
    upstream.wait_for_disconnect().await;
}
