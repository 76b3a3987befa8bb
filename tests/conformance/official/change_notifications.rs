//! List changes and resource updates, and the notifications about them.

use rmcp::model::{
    ServerNotification, SubscribeRequestParams, SubscriptionFilter, UnsubscribeRequestParams,
};
use serde_json::json;

use crate::official::in_each_pairing;
use crate::official::session::Session;
use crate::pairing::Pairing;
use testkit::within;

in_each_pairing! {
    tool_change_is_notified_and_listed
    prompt_change_is_notified_and_listed
    resource_update_is_notified
    no_update_after_unsubscribe
}

const WATCHED: &str = "test://watched-resource";

async fn tool_change_is_notified_and_listed(pairing: Pairing) {
    let session = pairing.connect().await;
    within("the tools", session.client.list_all_tools())
        .await
        .unwrap();
    let mut subscription = match pairing.legacy_client() {
        true => None,
        false => {
            let filter = SubscriptionFilter::builder().tools_list_changed().build();
            Some(session.listen(filter).await)
        }
    };
    session.call("test_trigger_tool_change", json!({})).await;
    let changed = |received: &ServerNotification| {
        matches!(received, ServerNotification::ToolListChangedNotification(_))
    };
    loop {
        session.receive(subscription.as_mut(), changed).await;
        let tools = within("the tools", session.client.list_all_tools())
            .await
            .unwrap();
        let tool = tools
            .iter()
            .find(|tool| tool.name == "test_trigger_tool_change")
            .unwrap();
        // The initial listing may cause a change notification too.
        if tool.description.as_ref().unwrap().contains("1 times") {
            break;
        }
        session.client.service().forget(changed);
    }
    session.assert_eras();
}

async fn prompt_change_is_notified_and_listed(pairing: Pairing) {
    let session = pairing.connect().await;
    within("the prompts", session.client.list_all_prompts())
        .await
        .unwrap();
    let mut subscription = match pairing.legacy_client() {
        true => None,
        false => {
            let filter = SubscriptionFilter::builder().prompts_list_changed().build();
            Some(session.listen(filter).await)
        }
    };
    session.call("test_trigger_prompt_change", json!({})).await;
    let changed = |received: &ServerNotification| {
        matches!(
            received,
            ServerNotification::PromptListChangedNotification(_)
        )
    };
    loop {
        session.receive(subscription.as_mut(), changed).await;
        let prompts = within("the prompts", session.client.list_all_prompts())
            .await
            .unwrap();
        if json!(prompts)[0]["description"]
            .as_str()
            .unwrap()
            .contains("1 times")
        {
            break;
        }
        session.client.service().forget(changed);
    }
    session.assert_eras();
}

fn updated(received: &ServerNotification) -> bool {
    match received {
        ServerNotification::ResourceUpdatedNotification(notification) => {
            notification.params.uri == WATCHED
        }
        _ => false,
    }
}

async fn change(session: &Session) {
    session
        .call("test_trigger_resource_change", json!({}))
        .await;
}

async fn resource_update_is_notified(pairing: Pairing) {
    let session = pairing.connect().await;
    within("the resources", session.client.list_all_resources())
        .await
        .unwrap();
    let mut subscription = match pairing.legacy_client() {
        true => {
            let subscribe = session
                .client
                .subscribe(SubscribeRequestParams::new(WATCHED));
            within("a subscription", subscribe).await.unwrap();
            None
        }
        false => {
            let filter = SubscriptionFilter::builder().resource_subscription(WATCHED);
            Some(session.listen(filter.build()).await)
        }
    };
    change(&session).await;
    session.receive(subscription.as_mut(), updated).await;
    session.assert_eras();
}

async fn no_update_after_unsubscribe(pairing: Pairing) {
    let session = pairing.connect().await;
    within("the resources", session.client.list_all_resources())
        .await
        .unwrap();
    if pairing.legacy_client() {
        let subscribe = session
            .client
            .subscribe(SubscribeRequestParams::new(WATCHED));
        within("a subscription", subscribe).await.unwrap();
        let unsubscribe = session
            .client
            .unsubscribe(UnsubscribeRequestParams::new(WATCHED));
        within("the end of the subscription", unsubscribe)
            .await
            .unwrap();
    } else {
        let filter = SubscriptionFilter::builder().resource_subscription(WATCHED);
        let mut subscription = session.listen(filter.build()).await;
        within("the end of the subscription", subscription.cancel())
            .await
            .unwrap();
    }
    change(&session).await;
    // Notifications arrive in order, so the update would arrive before the progress.
    session.call("test_tool_with_progress", json!({})).await;
    let progress = |received: &ServerNotification| {
        matches!(received, ServerNotification::ProgressNotification(_))
    };
    within("progress", session.client.service().receive(progress)).await;
    let received = session.client.service().received.borrow();
    assert!(!received.notifications.iter().any(updated), "{pairing:?}");
}
