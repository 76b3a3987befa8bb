//! The configuration, the limits and the budgets that all sessions of one upstream share.

use std::sync::Arc;
use std::time::Duration;

use super::retry_budget::RetryBudget;
use crate::config;
use crate::net::Clients;
use crate::oauth::Authorizer;
use crate::upstream::connection::log_demand::LogDemand;
use crate::upstream::error::TransportError;
use crate::upstream::error::reported::UpstreamError;
use crate::upstream::flow::backpressure::ReadGate;
use crate::upstream::flow::concurrency::ConcurrencyLimit;
use crate::upstream::flow::deadline::Deadlines;
use crate::upstream::flow::process_limits::ProcessLimits;
use crate::upstream::id::UpstreamId;
use crate::upstream::transport::http::{Http, HttpSettings};

/// The configuration, the limits and the budgets of one upstream.
#[derive(Debug)]
pub(crate) struct UpstreamSettings {
    pub(crate) id: UpstreamId,
    /// The configuration that connections are made by.
    pub(crate) config: Arc<config::Upstream>,
    pub(crate) http_clients: Arc<Clients>,
    /// Authorizes requests, if the configuration has OAuth.
    pub(crate) authorizer: Option<Arc<Authorizer>>,
    limits: ProcessLimits,
    pub(crate) read_gate: Arc<ReadGate>,
    /// Limits the calls that run at the same time in all sessions together.
    pub(crate) concurrency: ConcurrencyLimit,
    /// The attempts to connect that are left.
    pub(crate) retry_budget: RetryBudget,
    pub(crate) log_demand: LogDemand,
}

impl UpstreamSettings {
    pub(crate) fn new(
        config: Arc<config::Upstream>,
        http_clients: Arc<Clients>,
        authorizer: Option<Arc<Authorizer>>,
        limits: ProcessLimits,
    ) -> Self {
        let running = config.max_calls.unwrap_or(limits.configured.upstream_calls);
        Self {
            id: UpstreamId::next(),
            read_gate: Arc::new(ReadGate::new(limits.send_budget.clone())),
            concurrency: ConcurrencyLimit::new(running, limits.configured.queued_calls),
            config,
            http_clients,
            authorizer,
            limits,
            retry_budget: RetryBudget::default(),
            log_demand: LogDemand::default(),
        }
    }

    /// Returns a factory for the HTTP side of connections to the upstream.
    pub(crate) fn http_factory(&self) -> impl Fn() -> Http + use<> {
        let client = self.http_clients.current(self.config.url.as_url());
        let authorizer = self.authorizer.clone();
        let settings = self.http_settings();
        move || Http::new(client.clone(), authorizer.clone(), settings.clone())
    }

    fn http_settings(&self) -> HttpSettings {
        let config = &self.config;
        HttpSettings {
            url: config.url.as_url().clone(),
            headers: config.headers.clone(),
            message_limit: self.limits.configured.message_bytes,
            read_gate: self.read_gate.clone(),
            keep_alive: config.keep_alive,
            deadlines: Deadlines {
                first_byte: config.first_byte_timeout,
                idle: config.timeout,
            },
        }
    }

    /// Returns how long a call waits for a connection.
    pub(crate) fn connect_wait(&self) -> Duration {
        self.limits.configured.connect_wait.min(self.config.timeout)
    }

    /// Returns the error of a request to this upstream.
    pub(crate) fn error(&self, method: &str, cause: TransportError) -> UpstreamError {
        UpstreamError {
            upstream: self.config.name.clone(),
            method: method.to_owned(),
            cause,
        }
    }
}
