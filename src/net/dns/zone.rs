//! A name server for tests: a few records, over UDP on loopback.

use std::net::SocketAddr;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, MX};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

/// Owner, type and data of a record; `FAIL` as type makes every question for the owner a SERVFAIL.
pub(crate) type Records = &'static [(&'static str, &'static str, &'static str)];

/// Answers from `records` until the test's runtime ends; returns where.
pub(crate) async fn serve(records: Records) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let reply = answer(&Message::from_vec(&buffer[..length]).unwrap(), records);
            socket.send_to(&reply.to_vec().unwrap(), from).await.unwrap();
        }
    });
    address
}

fn answer(question: &Message, records: Records) -> Message {
    let query = question.queries[0].clone();
    let asked = query.name().to_ascii().to_ascii_lowercase();
    let owned: Vec<_> = records.iter().filter(|(owner, ..)| *owner == asked).collect();
    let mut reply = Message::response(question.id, question.op_code);
    reply.metadata.recursion_available = true;
    reply.metadata.response_code = match owned.as_slice() {
        [] => ResponseCode::NXDomain,
        [(_, "FAIL", _)] => ResponseCode::ServFail,
        _ => ResponseCode::NoError,
    };
    let data = owned.iter().filter_map(|(_, kind, data)| rdata(kind, data));
    let fits = |data: &RData| {
        matches!(data.record_type(), RecordType::CNAME) || data.record_type() == query.query_type()
    };
    reply.add_answers(data.filter(fits).map(|data| Record::from_rdata(query.name().clone(), 60, data)));
    reply.add_query(query);
    reply
}

fn rdata(kind: &str, data: &str) -> Option<RData> {
    let name = |text| Name::from_ascii(text).unwrap();
    match kind {
        "A" => Some(RData::A(A(data.parse().unwrap()))),
        "AAAA" => Some(RData::AAAA(AAAA(data.parse().unwrap()))),
        "CNAME" => Some(RData::CNAME(CNAME(name(data)))),
        "MX" => {
            let (preference, exchange) = data.split_once(' ').unwrap();
            Some(RData::MX(MX::new(preference.parse().unwrap(), name(exchange))))
        }
        _ => None,
    }
}
