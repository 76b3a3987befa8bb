//! `mcp-manifold logout`: revokes the tokens at the server, and deletes the login from this machine.

use std::process::ExitCode;

use clap::Args;

use super::connections::Connections;
use super::exit::CommandError;
use super::output::{eprint_line, without_control_characters};
use super::selection::UpstreamSelector;
use crate::config::Environment;
use crate::oauth::{LoginMode, LogoutOutcome};

const EXAMPLES: &str = "\
Examples:
  mcp-manifold logout linear
  mcp-manifold logout linear --url https://mcp.linear.app/mcp

Asks the server to revoke the tokens, and then deletes all stored data of the server, even if the
tokens could not be revoked. The exit status is 0 if nothing is stored any more, 1 if something
could not be deleted, and 2 if the arguments or the configuration are wrong.";

/// Sign out of a server
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    selector: UpstreamSelector,
}

/// Signs out.
pub(super) async fn run(
    arguments: Arguments,
    environment: Environment,
) -> Result<ExitCode, CommandError> {
    let (mut upstream, _) = arguments.selector.select_one(&environment)?;
    // Also deletes a login from before `oauth` was turned off.
    upstream.oauth.get_or_insert_default();
    let name = upstream.name.clone();
    let connections = Connections::new(&environment, LoginMode::Never)?;
    let ended = match connections.authorizer(&upstream) {
        Some(authorizer) => authorizer.log_out().await,
        None => Ok(LogoutOutcome::NothingStored),
    };
    let cache = connections.cache();
    let ended = ended.map_err(|error| CommandError::Failed(format!("`{name}`: {error}")));
    connections.close().await;
    let mut ended = ended?;
    let forgotten = cache.remove(&upstream).await;
    let forgotten =
        forgotten.map_err(|error| CommandError::Failed(format!("`{name}`: {error}")))?;
    if forgotten && matches!(ended, LogoutOutcome::NothingStored) {
        ended = LogoutOutcome::Deleted;
    }
    eprint_line(&match ended {
        LogoutOutcome::NothingStored => format!("nothing is stored for `{name}`"),
        LogoutOutcome::Deleted => {
            format!("no login was stored for `{name}`; its other stored data is deleted")
        }
        LogoutOutcome::Revoked => {
            format!(
                "signed out of `{name}`; its tokens are revoked, and its stored data is deleted"
            )
        }
        LogoutOutcome::NotRevoked(why) => format!(
            "signed out of `{name}`; its stored data is deleted, \
             but the tokens stay valid until they expire: {}",
            without_control_characters(&why)
        ),
    });
    Ok(ExitCode::SUCCESS)
}
