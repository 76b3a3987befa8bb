//! The choice of a session for a client, without a server.

use super::super::extra::MAX_EXTRA_SESSIONS;
use super::*;
use crate::config::{Config, Environment, Limits};
use crate::protocol::Era;
use crate::upstream::flow::process_limits::ProcessLimits;

fn pool() -> SessionPool {
    let upstreams = r#"[{"name":"a","url":"https://a.example/"}]"#.to_owned();
    let environment = Environment::from_iter([("PROXY_UPSTREAMS".to_owned(), upstreams)]);
    let config = Config::from_environment(&environment).unwrap();
    let config = Arc::new(config.upstreams.into_iter().next().unwrap());
    let limits = ProcessLimits::new(Limits::default());
    let settings = UpstreamSettings::new(config, Arc::default(), None, limits);
    let changed = Arc::<Notify>::default();
    let offers = Arc::new(Offers::new(changed.clone()));
    SessionPool::new(Arc::new(settings), offers, Arc::default(), changed)
}

fn profile(capabilities: &str) -> Arc<ClientProfile> {
    let capabilities = Some(capabilities.as_bytes());
    Arc::new(ClientProfile::new(None, capabilities, Era::Legacy))
}

#[test]
fn main_session_follows_its_only_client() {
    let (pool, client) = (pool(), ClientId::next());
    for declared in [r#"{"roots":{}}"#, r#"{"sampling":{}}"#, "{}"] {
        pool.set_profile(client, &profile(declared));
        assert!(pool.main().will_serve(&profile(declared)));
    }
}

#[test]
fn main_session_stays_while_another_client_needs_it() {
    let (pool, [a, b]) = (pool(), [ClientId::next(), ClientId::next()]);
    let (roots, sampling) = (profile(r#"{"roots":{}}"#), profile(r#"{"sampling":{}}"#));
    pool.set_profile(a, &roots);
    pool.set_profile(b, &sampling);
    assert!(pool.main().will_serve(&roots));
    // The main session also stays when its first client leaves.
    pool.remove_client(a);
    assert!(pool.main().will_serve(&roots));
    pool.set_profile(b, &sampling);
    assert!(pool.main().will_serve(&sampling));
}

#[test]
fn client_not_served_by_the_main_session_gets_an_extra_session() {
    let pool = pool();
    let (roots, sampling) = (profile(r#"{"roots":{}}"#), profile(r#"{"sampling":{}}"#));
    let [first, again, other] = [&roots, &roots, &sampling].map(|it| pool.lease_extra(None, it));
    assert!(Arc::ptr_eq(&first.session, &again.session));
    assert!(!Arc::ptr_eq(&first.session, &other.session));
    assert_eq!(pool.sessions().len(), 3);
}

#[test]
fn surplus_session_ends_only_when_it_is_unused() {
    let pool = pool();
    let open = |number: usize| {
        let capabilities = format!(r#"{{"experimental":{{"{number}":{{}}}}}}"#);
        pool.lease_extra(None, &profile(&capabilities))
    };
    let leases: Vec<_> = (0..=MAX_EXTRA_SESSIONS).map(open).collect();
    assert_eq!(pool.sessions().len(), 1 + MAX_EXTRA_SESSIONS + 1);
    drop(leases);
    drop(open(MAX_EXTRA_SESSIONS + 1));
    assert_eq!(pool.sessions().len(), 1 + MAX_EXTRA_SESSIONS + 1);
}

#[test]
fn exclusive_session_serves_one_client() {
    let (pool, [a, b]) = (pool(), [ClientId::next(), ClientId::next()]);
    let roots = profile(r#"{"roots":{}}"#);
    assert!(pool.claim_main(a) && pool.claim_main(a) && !pool.claim_main(b));
    let [own, again, other] =
        [Some(b), Some(b), Some(a)].map(|client| pool.lease_extra(client, &roots));
    assert!(Arc::ptr_eq(&own.session, &again.session));
    assert!(!Arc::ptr_eq(&own.session, &other.session));
    pool.remove_client(a);
    assert!(pool.claim_main(b));
}
