//! Who wants to hear of a resource hears of it from the upstream that has it now.

use serde_json::{Value, json};

use crate::reload::{DONE, File, entry, said};
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

/// Waits until the server is asked for updates of the resource.
async fn subscribed(kind: Kind, server: &Upstream) {
    let wants = |body: &[u8]| String::from_utf8_lossy(body).contains("x://1");
    let method = match kind {
        Kind::Modern => "subscriptions/listen",
        _ => "resources/subscribe",
    };
    let asks = |request: &testkit::raw::Request| request.is(method) && wants(&request.body);
    server.raw.wait_for(asks).await;
}

async fn subscriptions_move_to_the_replacing_upstream(kind: Kind) {
    tokio::join!(moved("legacy", kind), moved("modern", kind));
}

/// `era`: that of the client.
async fn moved(era: &str, kind: Kind) {
    let old = serving(kind.server()).start().await;
    let new = serving(kind.server()).start().await;
    let file = File::of(&[entry("a", &old)]);
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
    file.write(&[entry("a", &new)]);
    said(&client, DONE, 1).await;
    subscribed(kind, &new).await;
    new.notify(UPDATED, &params.to_string()).await;
    let heard = client.notification(UPDATED).await;
    assert_eq!(heard["params"]["uri"], "x://1", "{era}");
}
