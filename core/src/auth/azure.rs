//! What the Azure types have in common: which cloud, which tenant, which two tokens, and the workspace behind a resource
//! id.
//!
//! A workspace on Azure wants two tokens of a service principal or a managed identity: one for Databricks, and one for
//! the management of Azure, by which a principal that is no member yet is let in.

use std::fmt;
use std::sync::Arc;

use http::header::{AUTHORIZATION, LOCATION};
use http::{HeaderName, HeaderValue, Method};
use url::Url;

use crate::auth::chain::{Chosen, Ground, Tokens, missing, sensitive};
use crate::auth::token_cache::{Fetched, TokenSource};
use crate::auth::token_request::{ask, object, request, unusable};
use crate::clock::{BoxFuture, Deadline};
use crate::code::Code;
use crate::config::{Resolved, normalise_host};
use crate::error::{Error, Result};
use crate::http::{Retry, Wire};

/// The application id of Databricks itself.
const DATABRICKS: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";
const STAGING: &str = "4a67d088-db5c-48f1-9ff2-0aace800ae68";
const DEV: &str = "62a912ac-b58e-4c1d-89ea-b2dbfc7358fc";
const MANAGEMENT: HeaderName = HeaderName::from_static("x-databricks-azure-sp-management-token");
const RESOURCE: HeaderName = HeaderName::from_static("x-databricks-azure-workspace-resource-id");

/// Where a cloud's services are; each ends in a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureEndpoints {
    /// Gives tokens.
    pub entra: String,
    /// Knows workspaces.
    pub resource_manager: String,
    /// For whom management tokens are made.
    pub service_management: String,
    /// Gives tokens to virtual machines.
    pub instance_metadata: String,
}

impl AzureEndpoints {
    fn new(entra: &str, resource_manager: &str, service_management: &str) -> AzureEndpoints {
        AzureEndpoints {
            entra: entra.to_owned(),
            resource_manager: resource_manager.to_owned(),
            service_management: service_management.to_owned(),
            instance_metadata: "http://169.254.169.254/".to_owned(),
        }
    }

    fn of(resolved: &Resolved, auth_type: &str) -> Result<AzureEndpoints> {
        let host = resolved.host().unwrap_or_default();
        let by_host = || {
            if host.ends_with(".databricks.azure.us") {
                "USGOVERNMENT"
            } else if host.ends_with(".databricks.azure.cn") {
                "CHINA"
            } else {
                "PUBLIC"
            }
        };
        let name = resolved.get("azure_environment").unwrap_or_else(by_host);
        match name.to_ascii_uppercase().as_str() {
            "PUBLIC" | "AZUREPUBLICCLOUD" => Ok(AzureEndpoints::new(
                "https://login.microsoftonline.com/",
                "https://management.azure.com/",
                "https://management.core.windows.net/",
            )),
            "USGOVERNMENT" | "AZUREUSGOVERNMENT" => Ok(AzureEndpoints::new(
                "https://login.microsoftonline.us/",
                "https://management.usgovcloudapi.net/",
                "https://management.core.usgovcloudapi.net/",
            )),
            "CHINA" | "AZURECHINACLOUD" => Ok(AzureEndpoints::new(
                "https://login.chinacloudapi.cn/",
                "https://management.chinacloudapi.cn/",
                "https://management.core.chinacloudapi.cn/",
            )),
            _ => Err(Error::new(
                Code::ConfigInvalid,
                format!("default auth: {auth_type}: there is no azure_environment `{name}`"),
            )
            .with_hint("Set ARM_ENVIRONMENT to PUBLIC, USGOVERNMENT or CHINA")),
        }
    }
}

/// Whether the workspace is one on Azure.
fn is_azure(resolved: &Resolved) -> bool {
    if resolved.get("azure_workspace_resource_id").is_some() {
        return true;
    }
    if let Some(cloud) = resolved.get("cloud") {
        return cloud.eq_ignore_ascii_case("azure");
    }
    let host = resolved.host().unwrap_or_default();
    [
        ".azuredatabricks.net",
        ".databricks.azure.us",
        ".databricks.azure.cn",
    ]
    .iter()
    .any(|zone| host.ends_with(zone))
}

/// A source of Entra tokens for a resource.
pub(crate) trait AzureTokens: fmt::Debug + Send + Sync + 'static {
    fn token<'a>(
        &'a self,
        azure: &'a Azure,
        resource: &'a str,
        deadline: Deadline,
        retry: Retry,
    ) -> BoxFuture<'a, Result<Fetched>>;

    /// Whether a management token goes along.
    fn management(&self) -> Management;

    /// What a caller is told who could not wait.
    fn late(&self, _allowed: std::time::Duration) -> Option<Error> {
        None
    }
}

/// Whether a management token goes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Management {
    Never,
    IfPossible,
    Always,
}

/// One workspace on Azure.
#[derive(Debug)]
pub(crate) struct Azure {
    pub(crate) endpoints: AzureEndpoints,
    pub(crate) wire: Wire,
    pub(crate) resource_id: Option<String>,
    host: Option<String>,
    app_id: String,
    tenant: Option<String>,
}

impl Azure {
    pub(crate) fn of(ground: &Ground<'_>, auth_type: &str) -> Result<Azure> {
        let resolved: &Arc<Resolved> = ground.resolved;
        if !is_azure(resolved) {
            return Err(missing(auth_type, "the host is no workspace on Azure"));
        }
        let endpoints = match &ground.outside.azure {
            Some(endpoints) => endpoints.clone(),
            None => AzureEndpoints::of(resolved, auth_type)?,
        };
        let host = resolved.host().map(str::to_owned);
        let zone = |name: &str| host.as_ref().is_some_and(|host| host.contains(name));
        let app_id = match ground.text("azure_login_app_id") {
            Some(own) => own,
            None if zone(".staging.azuredatabricks.net") => STAGING,
            None if zone(".dev.azuredatabricks.net") => DEV,
            None => DATABRICKS,
        };
        Ok(Azure {
            endpoints,
            wire: ground.wire.clone(),
            resource_id: ground
                .text("azure_workspace_resource_id")
                .map(str::to_owned),
            app_id: app_id.to_owned(),
            tenant: ground.text("azure_tenant_id").map(str::to_owned),
            host,
        })
    }

    /// The configured tenant.
    pub(crate) fn known_tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// The tenant: as configured, else the one that the workspace sends its users to.
    pub(crate) async fn tenant(&self, deadline: Deadline, retry: Retry) -> Result<String> {
        if let Some(tenant) = &self.tenant {
            return Ok(tenant.clone());
        }
        let needed = "Set azure_tenant_id (ARM_TENANT_ID)";
        let Some(host) = &self.host else {
            return Err(Error::new(Code::AuthNotConfigured, "no azure_tenant_id").with_hint(needed));
        };
        let url = parse(&format!("{host}/aad/auth"))?;
        let mut asked = request(&self.wire, Method::GET, url.clone());
        asked.follow_redirects = false;
        let response = self.wire.exchange(&asked, deadline, retry).await?;
        let tenant = response
            .headers
            .get(LOCATION)
            .and_then(|location| location.to_str().ok())
            .and_then(|location| Url::parse(location).ok())
            .and_then(|location| location.path_segments()?.next().map(str::to_owned))
            .filter(|tenant| !tenant.is_empty());
        tenant.ok_or_else(|| {
            unusable(
                &url,
                &format!("it names no tenant (HTTP {})", response.status),
            )
            .with_hint(needed)
        })
    }

    /// The token endpoint of the tenant.
    pub(crate) async fn token_endpoint(&self, deadline: Deadline, retry: Retry) -> Result<Url> {
        let tenant = self.tenant(deadline, retry).await?;
        parse(&format!("{}{tenant}/oauth2/token", self.endpoints.entra))
    }
}

pub(crate) fn parse(text: &str) -> Result<Url> {
    Url::parse(text).map_err(|cause| {
        Error::new(Code::ConfigInvalid, format!("{text} is no address")).with_source(cause)
    })
}

/// An identity that lives on `source`.
pub(crate) fn identity(
    ground: &Ground<'_>,
    auth_type: &'static str,
    who: &str,
    login_name: Option<String>,
    azure: Azure,
    source: impl AzureTokens,
) -> Chosen {
    let who = format!("{who}\n{}", azure.app_id);
    let tokens = OnAzure {
        auth_type,
        azure,
        source: Box::new(source),
    };
    Chosen {
        auth_type,
        principal: format!(
            "{auth_type}-{}",
            crate::secret::Secret::new(who).fingerprint()
        ),
        login_name,
        tokens: Tokens::renewed(tokens, ground),
        wire: ground.wire.clone(),
    }
}

#[derive(Debug)]
struct OnAzure {
    auth_type: &'static str,
    azure: Azure,
    source: Box<dyn AzureTokens>,
}

impl OnAzure {
    async fn both(&self, deadline: Deadline, retry: Retry) -> Result<Fetched> {
        let azure = &self.azure;
        let own = self.source.token(azure, &azure.app_id, deadline, retry);
        let wanted = self.source.management();
        let management = async {
            if wanted == Management::Never {
                return None;
            }
            let resource = &azure.endpoints.service_management;
            Some(self.source.token(azure, resource, deadline, retry).await)
        };
        let (own, management) = tokio::join!(own, management);
        let mut fetched = own?;
        match management {
            Some(Ok(management)) => {
                fetched
                    .headers
                    .insert(MANAGEMENT, sensitive(management.token.expose())?);
                fetched.lifetime = match (fetched.lifetime, management.lifetime) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    (one, other) => one.or(other),
                };
            }
            Some(Err(error)) if wanted == Management::Always => return Err(error),
            Some(Err(error)) => tracing::debug!(%error, "no Azure management token"),
            None => {}
        }
        if let Some(id) = &azure.resource_id {
            let id: HeaderValue = id.parse().map_err(|_| {
                Error::new(
                    Code::ConfigInvalid,
                    "azure_workspace_resource_id holds characters that no id has",
                )
            })?;
            fetched.headers.insert(RESOURCE, id);
        }
        Ok(fetched)
    }
}

impl TokenSource for OnAzure {
    fn fetch(&self, deadline: Deadline, retry: Retry) -> BoxFuture<'_, Result<Fetched>> {
        Box::pin(async move {
            let deadline = self.azure.wire.bounded(deadline);
            self.both(deadline, retry)
                .await
                .map_err(|error| error.context(self.auth_type))
        })
    }

    /// The workspace's host, from its resource id.
    fn host(&self, deadline: Deadline, retry: Retry) -> BoxFuture<'_, Result<String>> {
        Box::pin(async move {
            let azure = &self.azure;
            let id = azure.resource_id.as_deref().unwrap_or_default();
            let found = async {
                let address = format!(
                    "{}/{}?api-version=2018-04-01",
                    azure.endpoints.resource_manager.trim_end_matches('/'),
                    id.trim_start_matches('/')
                );
                let url = parse(&address)?;
                let resource = &azure.endpoints.service_management;
                let token = self.source.token(azure, resource, deadline, retry).await?;
                let bearer = sensitive(&format!("Bearer {}", token.token.expose()))?;
                let headers = vec![(AUTHORIZATION, bearer)];
                let response = ask(
                    &azure.wire,
                    Method::GET,
                    url.clone(),
                    headers,
                    deadline,
                    retry,
                )
                .await?;
                let body = object(&url, &response)?;
                let host = body
                    .get("properties")
                    .and_then(|properties| properties.get("workspaceUrl")?.as_str())
                    .filter(|host| !host.is_empty())
                    .ok_or_else(|| unusable(&url, "it names no workspaceUrl"))?;
                normalise_host(host, "Azure Resource Manager")
            };
            found.await.map_err(|error: Error| {
                error.context(format!(
                    "{}: finding the host of azure_workspace_resource_id",
                    self.auth_type
                ))
            })
        })
    }

    fn late(&self, allowed: std::time::Duration) -> Error {
        let trouble = self.azure.wire.trouble.load_full();
        let trouble = trouble.map(|cause| {
            let late = format!(
                "{}: no token within {} ms",
                self.auth_type,
                allowed.as_millis()
            );
            Error::new(cause.code(), format!("{late}: {}", cause.message()))
                .with_hint(cause.hint().unwrap_or("Check the network"))
        });
        self.source.late(allowed).or(trouble).unwrap_or_else(|| {
            Error::new(
                Code::HttpTimeout,
                format!(
                    "{}: no token within {} ms",
                    self.auth_type,
                    allowed.as_millis()
                ),
            )
            .with_hint("Check the network between here and Azure's identity service")
        })
    }
}
