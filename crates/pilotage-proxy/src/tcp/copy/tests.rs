use std::cell::Cell;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

use super::{BUFFER_BYTES, Copying, End, Limits};

/// Client and upstream, each as its far end and the near end that is copied between.
fn pair(room: usize) -> (DuplexStream, DuplexStream, DuplexStream, DuplexStream) {
    let (client, near_client) = duplex(room);
    let (upstream, near_upstream) = duplex(room);
    (client, near_client, upstream, near_upstream)
}

#[tokio::test]
async fn each_direction_ends_by_itself() {
    let (mut client, mut near, mut upstream, mut far) = pair(7);
    let counted = Cell::new((0, 0));
    let copying = Copying::new(BytesMut::from(&b"first "[..]), Limits::default());
    let copying = copying.run(&mut near, &mut far, |received, sent| {
        let (r, s) = counted.get();
        counted.set((r + received, s + sent));
    });
    let talk = async {
        let (writing, reading) = (client.write_all(b"and then"), async {
            let mut heard = [0; 14];
            upstream.read_exact(&mut heard).await.unwrap();
            heard
        });
        let (written, heard) = tokio::join!(writing, reading);
        written.unwrap();
        assert_eq!(&heard, b"first and then");
        client.shutdown().await.unwrap();
        assert_eq!(upstream.read(&mut [0]).await.unwrap(), 0);
        // The client has ended; the upstream goes on.
        let (writing, mut answer) = (upstream.write_all(b"an answer all the same"), [0; 22]);
        let (written, read) = tokio::join!(writing, client.read_exact(&mut answer));
        written.unwrap();
        read.unwrap();
        assert_eq!(&answer, b"an answer all the same");
        upstream.shutdown().await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    };
    let (end, ()) = tokio::join!(copying, talk);
    assert!(matches!(end, End::Complete), "{end:?}");
    assert_eq!(counted.get(), (14, 22));
}

#[tokio::test(start_paused = true)]
async fn what_the_other_side_does_not_take_is_bounded() {
    let (mut client, mut near, mut upstream, mut far) = pair(1024);
    let copying = Copying::new(BytesMut::new(), Limits::default());
    let copying = copying.run(&mut near, &mut far, |_, _| {});
    let much = vec![b'x'; 10 * BUFFER_BYTES];
    let talk = async {
        let writing = tokio::time::timeout(Duration::from_secs(1), client.write_all(&much));
        assert!(writing.await.is_err(), "ten buffers went nowhere");
        let mut some = vec![0; 1024];
        upstream.read_exact(&mut some).await.unwrap();
        drop((client, upstream));
    };
    let (end, ()) = tokio::join!(copying, talk);
    assert!(matches!(end, End::UpstreamBroken(_)), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_bytes_is_closed_in_time() {
    let (mut client, mut near, mut upstream, mut far) = pair(64);
    let limits = Limits { idle: Some(Duration::from_secs(10)), until: None };
    let start = Instant::now();
    let talk = async {
        let mut byte = [0];
        for _ in 0..3 {
            tokio::time::advance(Duration::from_secs(9)).await;
            client.write_all(b"x").await.unwrap();
            upstream.read_exact(&mut byte).await.unwrap();
        }
        std::future::pending::<()>().await;
    };
    let end = tokio::select! {
        end = Copying::new(BytesMut::new(), limits).run(&mut near, &mut far, |_, _| {}) => end,
        () = talk => End::Complete,
    };
    assert!(matches!(end, End::Idle), "{end:?}");
    assert_eq!(start.elapsed().as_secs(), 3 * 9 + 10);
}

#[tokio::test(start_paused = true)]
async fn a_connection_may_be_too_old() {
    let (_client, mut near, _upstream, mut far) = pair(64);
    let until = Some(Instant::now() + Duration::from_secs(5));
    let limits = Limits { idle: Some(Duration::from_secs(10)), until };
    let end = Copying::new(BytesMut::new(), limits).run(&mut near, &mut far, |_, _| {}).await;
    assert!(matches!(end, End::TooOld), "{end:?}");
}
