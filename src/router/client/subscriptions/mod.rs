//! The subscriptions of one client: the `subscriptions/listen` requests of a modern client, and the resource
//! subscriptions of a legacy client.

mod covers;
pub(crate) mod filter;
pub(crate) mod listen;
pub(crate) mod resource;

use listen::Listens;
use resource::ResourceSubscriptions;

/// All subscriptions of one client.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    pub(crate) listens: Listens,
    pub(crate) resources: ResourceSubscriptions,
}
