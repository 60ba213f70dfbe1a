//! HTTP for strangers, on `web.listen`: the Web Key Directory of our domains (draft-koch-openpgp-webkey-service, sections 3.1
//! and 4.5), with the certificates that were imported for aliases.
//!
//! | path | answer |
//! |---|---|
//! | `/.well-known/openpgpkey/DOMAIN/hu/HASH?l=LOCAL` | the certificates for `LOCAL@DOMAIN`, one after the other |
//! | `/.well-known/openpgpkey/hu/HASH?l=LOCAL` | the same; the domain is that of `Host` |
//! | `/.well-known/openpgpkey/DOMAIN/policy` | an empty file: there is a directory for this domain |
//! | `/.well-known/openpgpkey/policy` | the same for the domain of `Host` |
//!
//! Everything else is 404 in the same words, or 405, which says nothing of what a path would give: an alias without a
//! certificate looks like nobody. The local part must stand in the query, since its hash alone cannot be looked up; programs
//! send both.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::mail::{Address, DomainName, Host};
use crate::relay::ports::Unavailable;
use crate::relay::wkd;

use super::problem::Problem;

/// Who knows what is published.
pub trait KeyDirectory: Send + Sync + 'static {
    /// The certificates for an alias, one after the other; none for whoever has none and for nobody, which take the same
    /// time. They name nobody else.
    fn published(
        &self,
        address: &Address,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, Unavailable>> + Send;

    /// Whether the domain is one of ours.
    fn is_ours(&self, domain: &DomainName) -> impl Future<Output = Result<bool, Unavailable>> + Send;
}

/// All paths.
pub fn router<K: KeyDirectory>(keys: Arc<K>) -> Router {
    Router::new()
        .route("/.well-known/openpgpkey/{domain}/hu/{hash}", get(advanced::<K>))
        .route("/.well-known/openpgpkey/hu/{hash}", get(direct::<K>))
        .route("/.well-known/openpgpkey/{domain}/policy", get(advanced_policy::<K>))
        .route("/.well-known/openpgpkey/policy", get(direct_policy::<K>))
        .fallback(async || Problem::no_such_path())
        .method_not_allowed_fallback(async || Problem::wrong_method())
        .layer(axum::middleware::map_response(for_every_page))
        .with_state(keys)
}

/// Programs in a browser may read it, and nobody keeps what may change at once.
async fn for_every_page(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn advanced<K: KeyDirectory>(
    State(keys): State<Arc<K>>,
    path: Result<Path<(String, String)>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Response {
    let Ok(Path((domain, hash))) = path else { return not_found() };
    certificates(&*keys, DomainName::parse(&domain).ok(), &hash, query.as_deref()).await
}

async fn direct<K: KeyDirectory>(
    State(keys): State<Arc<K>>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Ok(Path(hash)) = path else { return not_found() };
    certificates(&*keys, host_of(&headers), &hash, query.as_deref()).await
}

async fn advanced_policy<K: KeyDirectory>(
    State(keys): State<Arc<K>>,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    let Ok(Path(domain)) = path else { return not_found() };
    policy(&*keys, DomainName::parse(&domain).ok()).await
}

async fn direct_policy<K: KeyDirectory>(State(keys): State<Arc<K>>, headers: HeaderMap) -> Response {
    policy(&*keys, host_of(&headers)).await
}

async fn certificates<K: KeyDirectory>(
    keys: &K,
    domain: Option<DomainName>,
    hash: &str,
    query: Option<&str>,
) -> Response {
    let Some(address) = domain.and_then(|domain| address(domain, hash, query?)) else { return not_found() };
    match keys.published(&address).await {
        Ok(Some(file)) => ([(header::CONTENT_TYPE, "application/octet-stream")], file).into_response(),
        Ok(None) => not_found(),
        Err(away) => try_again(&away),
    }
}

async fn policy<K: KeyDirectory>(keys: &K, domain: Option<DomainName>) -> Response {
    let Some(domain) = domain else { return not_found() };
    match keys.is_ours(&domain).await {
        Ok(true) => ([(header::CONTENT_TYPE, "text/plain")], "").into_response(),
        Ok(false) => not_found(),
        Err(away) => try_again(&away),
    }
}

/// The address that is asked for, when hash and local part are of the same.
fn address(domain: DomainName, hash: &str, query: &str) -> Option<Address> {
    let local = query.split('&').find_map(|parameter| parameter.strip_prefix("l="))?;
    let local = percent_decoded(local).filter(|local| wkd::hash(local) == hash)?;
    Address::from_parts(&local, Host::Domain(domain)).ok()
}

/// `+` stands for itself: a program that follows the draft sends it so, and a space is in no address that anybody has.
fn percent_decoded(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut octets = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        octets.extend(data_encoding::HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?);
        octets.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(octets).ok()
}

/// The name in `Host`, without its port.
fn host_of(headers: &HeaderMap) -> Option<DomainName> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    DomainName::parse(name).ok()
}

fn not_found() -> Response {
    Problem::no_such_path().into_response()
}

fn try_again(away: &Unavailable) -> Response {
    tracing::warn!(error = %away, "a stranger's look-up failed");
    let problem =
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "this cannot be answered now, try again later");
    ([(header::RETRY_AFTER, "60")], problem).into_response()
}

#[cfg(test)]
mod tests;
