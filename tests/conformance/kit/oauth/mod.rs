//! The tests' authorization server refuses what it must, asked by a plain client.

mod clients;
mod codes;
mod controls;
mod devices;
mod discovery;
mod plain;
mod protected;
mod refreshes;
