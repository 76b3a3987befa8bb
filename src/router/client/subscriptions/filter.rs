//! The filter of a `subscriptions/listen`, and its acknowledgement (MCP 2026-07-28 § Subscriptions).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::protocol::subscription_id;
use crate::upstream::UpstreamId;
use crate::wire::{Line, Message};

/// The maximum number of resource subscriptions of one listen or session.
pub(crate) const MAX_URIS: usize = 4096;

/// The resources for which each upstream has accepted a subscription.
pub(crate) type AcceptedUris = HashMap<UpstreamId, HashSet<Arc<str>>>;

/// The member `notifications` of a listen.
#[derive(Debug, Clone, Default)]
pub(crate) struct SubscriptionFilter {
    pub(crate) tools: bool,
    pub(crate) prompts: bool,
    pub(crate) resources: bool,
    /// Without duplicates, in the client's order.
    pub(crate) uris: Vec<Arc<str>>,
    set: HashSet<Arc<str>>,
}

/// The filter as the client writes it. Unknown members are ignored.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct WrittenFilter {
    tools_list_changed: bool,
    prompts_list_changed: bool,
    resources_list_changed: bool,
    resource_subscriptions: Vec<String>,
}

impl SubscriptionFilter {
    /// Reads the filter of a listen.
    ///
    /// # Errors
    /// The error text for the client.
    pub(crate) fn read(request: &Message) -> Result<Self, String> {
        let mut written = request.params_named("notifications");
        let (first, second) = (written.next(), written.next());
        if second.is_some() {
            return Err("`notifications` stands twice in the parameters".to_owned());
        }
        let written = first.map(|first| first.value());
        let Some(written) = written.filter(|value| value.first() == Some(&b'{')) else {
            return Err("the parameters lack `notifications`, an object".to_owned());
        };
        let written: WrittenFilter = serde_json::from_slice(written)
            .map_err(|error| format!("`notifications` is no filter: {error}"))?;
        let mut filter = Self {
            tools: written.tools_list_changed,
            prompts: written.prompts_list_changed,
            resources: written.resources_list_changed,
            ..Self::default()
        };
        for uri in written.resource_subscriptions {
            let uri = Arc::<str>::from(uri);
            if filter.set.insert(uri.clone()) {
                filter.uris.push(uri);
            }
        }
        match filter.uris.len() {
            ..=MAX_URIS => Ok(filter),
            _ => Err(format!(
                "more than {MAX_URIS} resources; subscribe to fewer"
            )),
        }
    }

    /// Removes the list changes that no upstream announces. The acknowledgement omits unsupported notifications
    /// (MCP 2026-07-28 § Subscriptions).
    pub(crate) fn retain_announced(&mut self, announced: impl Fn(&str) -> bool) {
        self.prompts &= announced("prompts");
        self.resources &= announced("resources");
    }

    /// Whether the filter has this resource.
    pub(crate) fn contains(&self, uri: &str) -> bool {
        self.set.contains(uri)
    }

    /// Returns the acknowledgement, with the accepted part of the filter.
    pub(crate) fn acknowledgement(&self, id: &Bytes, accepted: &AcceptedUris) -> Line {
        let mut honoured = Map::new();
        for (key, requested) in [
            ("toolsListChanged", self.tools),
            ("promptsListChanged", self.prompts),
            ("resourcesListChanged", self.resources),
        ] {
            if requested {
                honoured.insert(key.to_owned(), Value::Bool(true));
            }
        }
        let is_accepted =
            |uri: &&Arc<str>| accepted.values().any(|accepted| accepted.contains(*uri));
        let uris = self
            .uris
            .iter()
            .filter(is_accepted)
            .map(|uri| json!(&**uri));
        let uris: Vec<_> = uris.collect();
        if !uris.is_empty() {
            honoured.insert("resourceSubscriptions".to_owned(), uris.into());
        }
        let honoured = Value::Object(honoured).to_string();
        subscription_id::notification(
            "notifications/subscriptions/acknowledged",
            id,
            &format!(",\"notifications\":{honoured}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(params: &str) -> Result<SubscriptionFilter, String> {
        let request = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{params}}}"#);
        SubscriptionFilter::read(&Message::parse(request).unwrap())
    }

    #[test]
    fn a_filter_is_read_or_rejected_with_a_reason() {
        let filter = read(
            r#"{"notifications":{"toolsListChanged":true,"promptsListChanged":false,"x":[],
            "resourceSubscriptions":["b","\u0061","b"]}}"#,
        )
        .unwrap();
        assert!(filter.tools && !filter.prompts && !filter.resources);
        assert_eq!(filter.uris, ["b", "a"].map(Arc::from));
        assert!(read(r#"{"notifications":{}}"#).unwrap().uris.is_empty());
        for (params, reason) in [
            ("{}", "lack"),
            ("[]", "lack"),
            (r#"{"notifications":[true]}"#, "lack"),
            (r#"{"notifications":null}"#, "lack"),
            (r#"{"notifications":{},"notifications":{}}"#, "twice"),
            (r#"{"notifications":{"toolsListChanged":1}}"#, "no filter"),
            (
                r#"{"notifications":{"toolsListChanged":null}}"#,
                "no filter",
            ),
            (
                r#"{"notifications":{"resourceSubscriptions":"a"}}"#,
                "no filter",
            ),
            (
                r#"{"notifications":{"resourceSubscriptions":[1]}}"#,
                "no filter",
            ),
            (
                r#"{"notifications":{"resourceSubscriptions":["\ud800"]}}"#,
                "no filter",
            ),
        ] {
            let refused = read(params).unwrap_err();
            assert!(refused.contains(reason), "{params}: {refused}");
        }
    }

    #[test]
    fn resources_are_counted_once_each() {
        let uris = |count: usize| {
            let uris: Vec<_> = (0..count)
                .map(|n| n.to_string())
                .chain(["0".into()])
                .collect();
            read(&json!({"notifications": {"resourceSubscriptions": uris}}).to_string())
        };
        assert_eq!(uris(MAX_URIS).unwrap().uris.len(), MAX_URIS);
        assert!(uris(MAX_URIS + 1).unwrap_err().contains("4096"));
    }

    #[test]
    fn the_acknowledgement_has_the_accepted_subscriptions() {
        let filter = read(
            r#"{"notifications":{"promptsListChanged":true,"resourcesListChanged":true,
            "resourceSubscriptions":["c","b","a"]}}"#,
        );
        let accepted = AcceptedUris::from([
            (UpstreamId::next(), HashSet::from(["a".into()])),
            (UpstreamId::next(), HashSet::from(["c".into()])),
        ]);
        let line = filter
            .unwrap()
            .acknowledgement(&Bytes::from_static(b"1.0"), &accepted);
        insta::assert_snapshot!(String::from_utf8(line.into_bytes().to_vec()).unwrap(), @r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1.0},"notifications":{"promptsListChanged":true,"resourceSubscriptions":["c","a"],"resourcesListChanged":true}}}"#);
    }
}
