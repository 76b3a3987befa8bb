//! Merging the listings of upstreams into the list that a client receives.

use super::*;
use crate::config::{Config, Environment};
use crate::protocol::Era;

fn upstreams(json: &str) -> Vec<config::Upstream> {
    let env = [("PROXY_UPSTREAMS".to_owned(), json.to_owned())];
    Config::from_environment(&env.into_iter().collect::<Environment>())
        .unwrap()
        .upstreams
}

fn listing(definitions: &[&str]) -> Option<Arc<ToolList>> {
    let tools = definitions.iter().map(|definition| {
        let definition = Bytes::copy_from_slice(definition.as_bytes());
        Tool::read(definition, Era::Legacy).unwrap()
    });
    Some(Arc::new(ToolList {
        tools: tools.collect(),
    }))
}

fn merged(config: &[config::Upstream], listings: &[Option<Arc<ToolList>>]) -> Catalog {
    let sources: Vec<_> = config
        .iter()
        .zip(listings)
        .map(|(config, listing)| MergeInput {
            config,
            listing: listing.clone(),
        })
        .collect();
    Catalog::merge(&sources, 64)
}

#[test]
fn definitions_stay_as_written_but_for_a_changed_name() {
    let config = upstreams(
        r#"[{"name":"a","url":"https://a.example/"},{"name":"b","url":"https://b.example/"}]"#,
    );
    let catalog = merged(
        &config,
        &[
            listing(&[r#"{"x-new":1E2,"name" : "search", "y":[0.10]}"#]),
            listing(&[
                r#"{ "inputSchema":{"name":"search"} ,"name":"search"}"#,
                r#"{"name":"only"}"#,
            ]),
        ],
    );
    let tools = String::from_utf8(catalog.tools(Era::Legacy).to_vec()).unwrap();
    assert_eq!(
        tools,
        r#"[{"x-new":1E2,"name" : "search", "y":[0.10]},{ "inputSchema":{"name":"search"} ,"name":"b__search"},{"name":"only"}]"#
    );
    let route = catalog.route("b__search").unwrap();
    assert_eq!((route.upstream, &*route.tool().name), (1, "search"));
    assert!(catalog.route("nothing").is_none());
}

#[test]
fn a_hidden_tool_has_no_route() {
    let config = upstreams(
        r#"[{"name":"a","url":"https://a.example/","include_tools":["GET*","list"],"ignore_tools":["*secret*"]}]"#,
    );
    let catalog = merged(
        &config,
        &[listing(&[
            r#"{"name":"getX"}"#,
            r#"{"name":"get_Secret"}"#,
            r#"{"name":"set"}"#,
        ])],
    );
    assert_eq!(catalog.len(), 1);
    assert!(catalog.route("getX").is_some());
    assert!(catalog.route("get_Secret").is_none());
    assert!(catalog.route("set").is_none());
}

#[test]
fn names_do_not_depend_on_the_order_of_arrival() {
    let config = upstreams(
        r#"[{"name":"a","url":"https://a.example/"},{"name":"b","url":"https://b.example/"}]"#,
    );
    let (first, second) = (
        listing(&[r#"{"name":"t"}"#]),
        listing(&[r#"{"name":"t","b":1}"#]),
    );
    let before = merged(&config, &[None, second.clone()]);
    assert!(before.route("t").is_some_and(|route| route.upstream == 1));
    let after = merged(&config, &[first, second]);
    assert!(after.route("t").is_some_and(|route| route.upstream == 0));
    assert!(after.route("b__t").is_some_and(|route| route.upstream == 1));
    assert!(before != after);
}
