use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::admin::Registry as _;
use crate::app::Daemon;
use crate::app::database::Migrate;
use crate::config::{self, Environment};
use crate::mail::{DomainName, Timestamp};

/// A daemon in this folder whose listeners are on free ports of loopback.
async fn start(folder: &TempDir) -> Daemon {
    let text = format!(
        "hostname = \"mx.example.com\"\ndata_dir = {:?}\nsmtp.listen = [\"127.0.0.1:0\"]\napi.listen = \"127.0.0.1:0\"\n\
         web.listen = [\"127.0.0.1:0\", \"[::1]:0\"]\ndns.servers = [\"127.0.0.1:1\"]\n\
         delivery.smarthost = \"smtp://127.0.0.1:1\"",
        folder.path()
    );
    let settings = config::from_text("aliasd.toml", &text, &Environment::default()).unwrap().settings;
    Daemon::start(&settings, Migrate::OnlySqlite).await.unwrap()
}

/// The first line of the answer.
async fn get(address: SocketAddr, target: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

const FOUND: &str = "HTTP/1.1 200 OK";
const NOT_FOUND: &str = "HTTP/1.1 404 Not Found";

#[tokio::test]
async fn strangers_and_admins_have_paths_of_their_own() {
    let folder = TempDir::new().unwrap();
    let daemon = start(&folder).await;
    let account = daemon.store().account("default").await.unwrap().id;
    let domain: DomainName = "example.com".parse().unwrap();
    daemon.store().add_domain(account, &domain, None, Timestamp::EPOCH).await.unwrap();
    let policy = "/.well-known/openpgpkey/example.com/policy";
    assert_eq!(daemon.web_addresses().len(), 2);
    for &web in daemon.web_addresses() {
        assert_eq!(get(web, policy).await, FOUND);
        for target in ["/healthz", "/readyz", "/metrics", "/admin/v1/aliases", "/"] {
            assert_eq!(get(web, target).await, NOT_FOUND, "{target}");
        }
    }
    let api = daemon.http_address().unwrap();
    assert_eq!(get(api, "/healthz").await, FOUND);
    assert_eq!(get(api, policy).await, NOT_FOUND);
    let web = daemon.web_addresses().to_vec();
    daemon.stop().await;
    for address in web {
        assert!(TcpStream::connect(address).await.is_err(), "still listening");
    }
}
