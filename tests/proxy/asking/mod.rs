//! What servers ask of the client in the middle of things: beside the plain good case of each
//! pairing, all that can be odd, late, lost, or too much about it.

mod bounds;
pub(crate) mod helpers;
mod ids;
mod lost;
mod parked;
mod parked_ends;
mod parking;
mod patience;
mod rounds;
mod rounds_ends;
mod sessions;
mod shared_streams;
mod visits;
