//! What one client is subscribed to: the `subscriptions/listen` requests of a modern client, and the
//! resources that a legacy client has subscribed to.

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
