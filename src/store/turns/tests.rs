use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};

use super::*;

const PATIENCE: Duration = Duration::from_millis(200);

/// A file with a table of numbers, each of them once.
struct File {
    options: SqliteConnectOptions,
    _folder: tempfile::TempDir,
}

async fn file() -> File {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("test.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = options.connect().await.unwrap();
    run(&mut connection, "CREATE TABLE numbers (number INTEGER PRIMARY KEY, filling BLOB)").await.unwrap();
    connection.close().await.unwrap();
    File { options, _folder: folder }
}

impl File {
    fn turns(&self) -> Turns {
        Turns::new(self.options.clone(), PATIENCE)
    }

    /// What is committed.
    async fn numbers(&self) -> Vec<i64> {
        let mut connection = self.options.connect().await.unwrap();
        sqlx::query_scalar("SELECT number FROM numbers ORDER BY number")
            .fetch_all(&mut connection)
            .await
            .unwrap()
    }
}

async fn insert(turn: &mut Turn, number: i64, filling: i64) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO numbers (number, filling) VALUES (?, zeroblob(?))")
        .bind(number)
        .bind(filling)
        .execute(turn.connection())
        .await
        .map(drop)
}

/// Lets a future come as far as it can by itself: a taker into the line.
async fn started<F: Future + Unpin>(future: &mut F) {
    poll_fn(|context| {
        assert!(Pin::new(&mut *future).poll(context).is_pending());
        Poll::Ready(())
    })
    .await;
}

#[tokio::test]
async fn whoever_waits_in_line_joins_the_commit() {
    let file = file().await;
    let turns = file.turns();
    let mut one = turns.take().await.unwrap();
    let mut take = pin!(turns.take());
    started(&mut take).await;
    insert(&mut one, 1, 0).await.unwrap();
    let mut one = pin!(one.commit());
    started(&mut one).await;
    let mut other = tokio::select! {
        other = take => other.unwrap(),
        _ = &mut one => panic!("it was committed while another stood in line"),
    };
    insert(&mut other, 2, 0).await.unwrap();
    assert_eq!(file.numbers().await, [0; 0], "nothing is committed yet");
    let (one, other) = tokio::join!(one, other.commit());
    one.unwrap();
    other.unwrap();
    assert_eq!(file.numbers().await, [1, 2]);
}

#[tokio::test]
async fn a_turn_that_fails_does_not_fail_its_neighbours() {
    let file = file().await;
    let turns = file.turns();
    let work = async |number: i64, keep: bool| {
        let mut turn = turns.take().await?;
        insert(&mut turn, number, 0).await?;
        if insert(&mut turn, number, 0).await.is_ok() || !keep {
            turn.roll_back().await?;
            return Ok::<_, Fault>(());
        }
        turn.commit().await
    };
    let (a, b, c) = tokio::join!(work(1, true), work(2, false), work(3, true));
    assert!(a.is_ok() && b.is_ok() && c.is_ok(), "{a:?} {b:?} {c:?}");
    assert_eq!(file.numbers().await, [1, 3]);
}

#[tokio::test]
async fn a_turn_that_is_dropped_half_way_makes_its_neighbours_begin_again() {
    let file = file().await;
    let turns = file.turns();
    let mut one = turns.take().await.unwrap();
    let mut take = pin!(turns.take());
    started(&mut take).await;
    insert(&mut one, 1, 0).await.unwrap();
    let mut one = pin!(one.commit());
    started(&mut one).await;
    let mut dropped = tokio::select! { turn = take => turn.unwrap(), _ = &mut one => panic!() };
    insert(&mut dropped, 2, 0).await.unwrap();
    drop(dropped);
    let told = one.await;
    assert!(matches!(told, Err(Fault::Contended(_))), "{told:?}");

    let mut again = turns.take().await.unwrap();
    insert(&mut again, 1, 0).await.unwrap();
    again.commit().await.unwrap();
    assert_eq!(file.numbers().await, [1]);
}

#[tokio::test]
async fn whoever_went_away_is_passed_over() {
    let file = file().await;
    let turns = file.turns();
    let mut one = turns.take().await.unwrap();
    insert(&mut one, 1, 0).await.unwrap();
    {
        let mut gone = pin!(turns.take());
        started(&mut gone).await;
    }
    one.commit().await.unwrap();
    assert_eq!(file.numbers().await, [1]);
}

/// A full disk makes SQLite roll back everything by itself. It must be told, and pass when there is room again.
#[tokio::test]
async fn a_full_disk_is_told_and_passes() {
    let file = file().await;
    let turns = Turns::new(file.options.clone().pragma("max_page_count", "64"), PATIENCE);
    let write = async |number: i64, filling: i64| {
        let mut turn = turns.take().await?;
        insert(&mut turn, number, filling).await?;
        turn.commit().await
    };
    write(1, 10).await.unwrap();
    let too_much = write(2, 10_000_000).await;
    assert!(matches!(&too_much, Err(Fault::Failed(StoreError::Unavailable(_)))), "{too_much:?}");
    write(3, 10).await.unwrap();
    assert_eq!(file.numbers().await, [1, 3]);
}

#[tokio::test]
async fn a_lock_of_another_process_is_told_to_all_who_waited() {
    let file = file().await;
    let turns = file.turns();
    let mut other = file.options.connect().await.unwrap();
    run(&mut other, "BEGIN IMMEDIATE").await.unwrap();
    let begun = Instant::now();
    let answers = futures_util::future::join_all((0..20).map(|_| turns.take())).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(Fault::Contended(_)))));
    assert!(begun.elapsed() < Duration::from_secs(2), "not one after the other");
    run(&mut other, "ROLLBACK").await.unwrap();
    turns.take().await.unwrap().roll_back().await.unwrap();
}

#[tokio::test]
async fn a_closed_giver_gives_nothing() {
    let file = file().await;
    let turns = file.turns();
    let mut last = turns.take().await.unwrap();
    let mut close = pin!(turns.close());
    started(&mut close).await;
    insert(&mut last, 1, 0).await.unwrap();
    let (committed, ()) = tokio::join!(last.commit(), close);
    committed.unwrap();
    let answer = turns.take().await;
    assert!(matches!(answer, Err(Fault::Failed(StoreError::Unavailable(_)))), "{answer:?}");
    assert_eq!(file.numbers().await, [1]);
}

/// Two processes that write all the time: each gets its share.
#[tokio::test]
async fn a_busy_process_does_not_keep_another_out() {
    let file = file().await;
    let (busy, other) = (file.turns(), file.turns());
    let stop = std::cell::Cell::new(false);
    let write = async |turns: &Turns, number: i64| {
        let mut turn = turns.take().await?;
        insert(&mut turn, number, 0).await?;
        turn.commit().await
    };
    let keep_busy = async |from: i64| {
        let mut number = from;
        while !stop.get() {
            write(&busy, number).await.unwrap();
            number += 1;
        }
    };
    let get_in = async {
        for number in 0..20 {
            write(&other, number).await.unwrap();
        }
        stop.set(true);
    };
    tokio::join!(keep_busy(1_000_000), keep_busy(2_000_000), keep_busy(3_000_000), get_in);
    let numbers = file.numbers().await;
    assert!(numbers.starts_with(&[0, 1, 2]) && numbers.contains(&1_000_000));
}
