//! Resource subscriptions move to the upstream that now has the resource.

use serde_json::{Value, json};

use crate::reload::{ConfigFile, RELOADED, upstream_entry, wait_for_log};
use testkit::upstream::{Builder, Kind, Upstream};

testkit::per_kind! {
    subscriptions_move_to_the_replacing_upstream
}

const UPDATED: &str = "notifications/resources/updated";

fn serving(builder: Builder) -> Builder {
    let capabilities = r#"{"tools":{},"resources":{"subscribe":true,"listChanged":true}}"#;
    builder
        .capabilities(capabilities)
        .tool("search")
        .offers("resources", [r#"{"uri":"x://1","name":"one"}"#])
        .offers("resourceTemplates", [])
        .result("resources/subscribe", "{}")
        .result("resources/unsubscribe", "{}")
}

/// Waits until the server receives a subscription to the resource.
async fn wait_for_subscription(kind: Kind, server: &Upstream) {
    let names_resource = |body: &[u8]| String::from_utf8_lossy(body).contains("x://1");
    let method = match kind {
        Kind::Modern => "subscriptions/listen",
        _ => "resources/subscribe",
    };
    let is_subscription =
        |request: &testkit::raw::Request| request.is(method) && names_resource(&request.body);
    server.raw.wait_for(is_subscription).await;
}

async fn subscriptions_move_to_the_replacing_upstream(kind: Kind) {
    tokio::join!(
        subscription_moves("legacy", kind),
        subscription_moves("modern", kind)
    );
}

/// `era`: the era of the client.
async fn subscription_moves(era: &str, kind: Kind) {
    let old = serving(kind.server()).start().await;
    let new = serving(kind.server()).start().await;
    let file = ConfigFile::with_upstreams(&[upstream_entry("a", &old)]);
    let mut client = file.proxy().start().await;
    let params: Value = json!({"uri": "x://1"});
    match era {
        "legacy" => {
            client.initialize().await;
            let done = client.request("resources/subscribe", params.clone()).await;
            assert_eq!(done["result"], json!({}));
        }
        _ => drop(
            client
                .listen(json!({"resourceSubscriptions": ["x://1"]}))
                .await,
        ),
    }
    file.write(&[upstream_entry("a", &new)]);
    wait_for_log(&client, RELOADED, 1).await;
    wait_for_subscription(kind, &new).await;
    new.notify(UPDATED, &params.to_string()).await;
    let notification = client.notification(UPDATED).await;
    assert_eq!(notification["params"]["uri"], "x://1", "{era}");
}
