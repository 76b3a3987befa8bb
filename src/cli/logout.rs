//! `mcp-manifold logout`: ends a login, at the server and on this machine.

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

The server is asked to take the tokens back, then everything that is stored is deleted, also when
the server cannot be asked; what it could not do is said. The status is 0 when nothing is stored any
more, 1 when something could not be deleted, 2 when the call or the configuration is wrong.";

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
    // What was stored before signing in was turned off goes as well.
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
            format!("nobody was signed in to `{name}`; what else was stored is deleted")
        }
        LogoutOutcome::Revoked => {
            format!(
                "signed out of `{name}`; its server took the tokens back, and all that was stored is deleted"
            )
        }
        LogoutOutcome::NotRevoked(why) => format!(
            "signed out of `{name}`; all that was stored is deleted, \
             but the tokens stay good until they end: {}",
            without_control_characters(&why)
        ),
    });
    Ok(ExitCode::SUCCESS)
}
