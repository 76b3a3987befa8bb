//! Signs in as a user would: runs `mcp-manifold login` and opens the page, as a browser would.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::STEP_TIMEOUT;
use crate::client::isolate;

/// Signs in to an upstream, so that a proxy with the same home can use it.
pub(crate) async fn sign_in(proxy: &Path, home: &Path, upstreams: &str, name: &str) -> Result<()> {
    let signing_in = drive(proxy, home, upstreams, name);
    let signed_in = timeout(STEP_TIMEOUT, signing_in).await;
    signed_in.with_context(|| format!("the sign-in to `{name}` took too long"))?
}

async fn drive(proxy: &Path, home: &Path, upstreams: &str, name: &str) -> Result<()> {
    let mut command = Command::new(proxy);
    isolate(&mut command, home, upstreams);
    command
        .args(["login", name, "--no-browser"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut login = command.spawn().context("running `mcp-manifold login`")?;
    let stderr = login.stderr.take().context("the log of the login")?;
    let mut lines = BufReader::new(stderr).lines();
    let mut output = String::new();
    while let Some(line) = lines.next_line().await? {
        // The address is on a line of its own.
        if line.trim().starts_with("http://") {
            visit(line.trim()).await?;
        }
        output.push_str(&line);
        output.push('\n');
    }
    match login.wait().await?.success() {
        true => Ok(()),
        false => bail!("`mcp-manifold login {name}` failed:\n{output}"),
    }
}

/// Opens a page and follows its redirects, which end at the callback of the waiting program.
async fn visit(url: &str) -> Result<()> {
    let browser = reqwest::Client::builder().no_proxy().build()?;
    let page = browser
        .get(url)
        .send()
        .await
        .context("opening the sign-in page")?;
    page.error_for_status().context("signing in")?;
    Ok(())
}
