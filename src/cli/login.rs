//! `mcp-manifold login`: signs the user in to one upstream, and waits until the upstream is connected.

mod prompt;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use http::header::AUTHORIZATION;
use tokio::sync::watch;
use tokio::time::timeout;

use super::connections::Connections;
use super::exit::CommandError;
use super::output::{eprint_line, format_count};
use super::selection::UpstreamSelector;
use crate::config::{self, Environment};
use crate::downstream::{LineRead, LineReader, open_stdin};
use crate::oauth::{Authorizer, LoginError, LoginMode, LoginState, SignInError, SignInRequired};
use crate::upstream::{FailedAttempt, TransportError, Upstream};
use prompt::{PASTE, prompt};

/// The maximum length of a pasted line, in bytes; longer than any address.
const LINE_LIMIT: usize = 64 << 10;

/// How long the browser may take to fetch the final page.
const CALLBACK_PAGE_TIMEOUT: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
Examples:
  mcp-manifold login linear               open a browser and sign in
  mcp-manifold login linear --no-browser  open the address on another machine, and paste
                                          the address at which its browser ends
  mcp-manifold login linear --device      enter a code on another device, if the server
                                          supports that
  mcp-manifold login linear --url https://mcp.linear.app/mcp

All messages go to stderr. The exit status is 0 if the server can be used, 1 if not, and 2 if the
arguments or the configuration are wrong. A running proxy uses the new login by itself.";

/// Sign in to a server
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    selector: UpstreamSelector,
    /// Open no browser; read the address at which the browser ends, or the code, from stdin
    #[arg(long)]
    no_browser: bool,
    /// Sign in on another device by entering a code there
    #[arg(long)]
    device: bool,
}

/// Signs in.
pub(super) async fn run(
    arguments: Arguments,
    environment: Environment,
) -> Result<ExitCode, CommandError> {
    let (config, limits) = arguments.selector.select_one(&environment)?;
    let connections = Connections::new(
        &environment,
        LoginMode::Command {
            browser: !arguments.no_browser,
            device: arguments.device,
        },
    )?;
    let authorizer = connections.authorizer(&config);
    let authorizer =
        authorizer.ok_or_else(|| CommandError::Usage(sign_in_disabled_message(&config)))?;
    let login = Login {
        upstream: connections.connect(config, Some(authorizer.clone()), limits),
        state: authorizer.login_state(),
        authorizer,
        accepts_paste: !arguments.device,
        has_started: false,
        last_prompt: None,
        stdin: None,
    };
    let ended = login.run().await;
    connections.close().await;
    eprint_line(&ended?);
    Ok(ExitCode::SUCCESS)
}

/// Explains why an upstream has no sign-in.
fn sign_in_disabled_message(config: &config::Upstream) -> String {
    let name = &config.name;
    match config.headers.contains_key(AUTHORIZATION) {
        true => format!(
            "`{name}` has an `Authorization` header in its configuration, so it has no sign-in; \
             remove that header, or set `oauth` to `true`"
        ),
        false => format!("`{name}` has `oauth` turned off; remove that setting to sign in"),
    }
}

struct Login {
    upstream: Upstream,
    authorizer: Arc<Authorizer>,
    state: watch::Receiver<LoginState>,
    /// Whether the authorization response may be pasted on stdin.
    accepts_paste: bool,
    /// Whether a login has started.
    has_started: bool,
    /// The sign-in that was printed last.
    last_prompt: Option<SignInRequired>,
    stdin: Option<LineReader>,
}

impl Login {
    /// Waits until the upstream can be used. Returns the final message.
    async fn run(mut self) -> Result<String, CommandError> {
        let before = self.authorizer.status().await;
        let before = before.map_err(|error| self.failure(&TransportError::SignIn(error)))?;
        let version = self.authorizer.token_version();
        let (mut last_attempt, mut tools_while_pending) = (0, None);
        loop {
            tokio::select! {
                biased;
                outcome = self.upstream.wait_until_listed(last_attempt), if tools_while_pending.is_none() => match outcome {
                    Ok((_, listing)) => {
                        let tools = listing.tools.len();
                        let now = self.authorizer.status().await.ok().flatten();
                        let needs_scopes = match now {
                            None => self.authorizer.begin_optional_login().await,
                            Some(_) => self.authorizer.begin_step_up_login().await,
                        };
                        if needs_scopes {
                            tools_while_pending = Some(tools);
                            continue;
                        }
                        let has_started = self.has_started || self.state.has_changed().unwrap_or(true);
                        return Ok(self.success_message(before.is_some() && !has_started, now.is_some(), tools).await);
                    }
                    // The user is signing in.
                    Err(FailedAttempt { cause: TransportError::SignIn(SignInError::Required(_)), attempt }) => {
                        last_attempt = attempt;
                    }
                    Err(failure) => return Err(self.failure(&failure.cause)),
                },
                () = self.authorizer.wait_until_tokens_change(&version), if tools_while_pending.is_some() => {
                    return Ok(self.success_message(false, true, tools_while_pending.unwrap_or_default()).await);
                }
                Ok(()) = self.state.changed() => self.report_login_state()?,
                read = next_line(&mut self.stdin) => self.handle_paste(read).await?,
            }
        }
    }

    /// Prints what the user has to do, if that has changed.
    fn report_login_state(&mut self) -> Result<(), CommandError> {
        self.has_started = true;
        let state = self.state.borrow_and_update().clone();
        let needed = match state {
            LoginState::Waiting(needed) => needed,
            LoginState::Failed(error) => {
                return Err(self.failure(&TransportError::SignIn(error)));
            }
            LoginState::Idle | LoginState::Preparing => return Ok(()),
        };
        let page = |needed: &SignInRequired| (needed.url.clone(), needed.user_code.clone());
        if self.last_prompt.as_ref().map(page) == Some(page(&needed)) {
            return Ok(());
        }
        eprint_line(&prompt(&needed));
        if self.accepts_paste
            && !needed.browser_opened
            && needed.user_code.is_none()
            && self.stdin.is_none()
        {
            eprint_line(PASTE);
            self.stdin = Some(LineReader::new(open_stdin(), LINE_LIMIT));
        }
        self.last_prompt = Some(needed);
        Ok(())
    }

    /// Handles a pasted line.
    async fn handle_paste(&mut self, read: LineRead) -> Result<(), CommandError> {
        let paste = match read {
            LineRead::Line(line) => self.paste(&String::from_utf8_lossy(&line)).await,
            LineRead::TooLong => Err(LoginError::NotAResponse.into()),
            LineRead::End => {
                // A browser or another process may still finish the login.
                (self.accepts_paste, self.stdin) = (false, None);
                return Ok(());
            }
        };
        match paste {
            Ok(()) => Ok(()),
            Err(SignInError::Login(error)) if error.allows_retry() => {
                eprint_line(&format!("mcp-manifold: {error}"));
                Ok(())
            }
            Err(error) => Err(self.failure(&TransportError::SignIn(error))),
        }
    }

    async fn paste(&self, line: &str) -> Result<(), SignInError> {
        match line.trim() {
            "" => Ok(()),
            text => self.authorizer.redeem_pasted_response(text).await,
        }
    }

    /// Returns the final message.
    async fn success_message(&self, already: bool, signed_in: bool, tools: usize) -> String {
        // The callback server may still be sending the final page to the browser.
        let _ = timeout(
            CALLBACK_PAGE_TIMEOUT,
            self.authorizer.wait_until_login_ends(),
        )
        .await;
        let (name, tools) = (&self.upstream.config().name, format_count(tools, "tool"));
        match (already, signed_in) {
            (true, _) => format!(
                "already signed in to `{name}`; {tools}; \
                 to sign in as another user, run `mcp-manifold logout {name}` first"
            ),
            (false, true) => format!("signed in to `{name}`; {tools}"),
            (false, false) => format!("`{name}` needs no sign-in; {tools}"),
        }
    }

    fn failure(&self, cause: &TransportError) -> CommandError {
        let name = &self.upstream.config().name;
        CommandError::Failed(format!("`{name}`: {cause}"))
    }
}

/// Returns the next line, or waits for ever if stdin is not read.
async fn next_line(stdin: &mut Option<LineReader>) -> LineRead {
    match stdin {
        Some(stdin) => stdin.next().await,
        None => std::future::pending().await,
    }
}
