//! Lists, page by page. While the caller works through one page the next one is fetched, so that a long list costs its
//! requests and not their sum with the caller's own work.

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Mutex;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::message::Message;
use super::method::{Answer, Method};
use super::request::{Arguments, read};
use super::{Object, Postgres};
use crate::credential::sync::lock;
use crate::error::Result;

const TOKEN: &str = "page_token";
const NEXT_TOKEN: &str = "next_page_token";
const PREFETCH: &str = "prefetch";
/// Pages that were fetched ahead and that nobody came for are dropped, oldest first.
const MOST_AHEAD: usize = 8;

/// A list that has not been asked for: [`Pager::next`] asks, one page ahead of the caller. `With` says which options it has.
#[must_use = "a pager does nothing until its items are asked for"]
pub struct Pager<T, With = ()> {
    postgres: Postgres,
    method: &'static Method,
    arguments: Arguments,
    timeout: Option<Duration>,
    /// What is known of the pages to come; none before the first.
    rest: Option<Rest<T>>,
    gives: PhantomData<fn() -> With>,
}

struct Rest<T> {
    items: VecDeque<T>,
    /// The arguments of the next page, if there is one.
    next: Option<Object>,
}

impl<T, With> Pager<T, With> {
    pub(super) fn new(postgres: &Postgres, method: &'static Method) -> Pager<T, With> {
        Pager {
            postgres: postgres.clone(),
            method,
            arguments: Arguments::default(),
            timeout: None,
            rest: None,
            gives: PhantomData,
        }
    }

    pub(super) fn set(mut self, name: &'static str, value: impl Serialize) -> Self {
        self.arguments.set(name, value);
        self
    }

    /// How long to wait for each page, in place of the client's own limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl<T: Message, With> Pager<T, With> {
    /// The next item; `None` at the end.
    ///
    /// # Errors
    /// What the service answered. Calling again asks for the same page again.
    pub async fn next(&mut self) -> Result<Option<T>> {
        loop {
            let rest = match &mut self.rest {
                Some(rest) => rest,
                none => none.insert(Rest {
                    items: VecDeque::new(),
                    next: Some(std::mem::take(&mut self.arguments).whole()?),
                }),
            };
            if let Some(item) = rest.items.pop_front() {
                return Ok(Some(item));
            }
            let Some(arguments) = &rest.next else {
                return Ok(None);
            };
            let mut asked = arguments.clone();
            asked.insert(PREFETCH.to_owned(), true.into());
            let mut page = self.postgres.page(self.method, asked, self.timeout).await?;
            let items = match self.method.answer {
                Answer::Page(items) => page.get_mut(items).map(Value::take),
                _ => None,
            };
            if let Some(Value::Array(items)) = items {
                rest.items = items
                    .into_iter()
                    .map(|item| read(item, self.method.name))
                    .collect::<Result<_>>()?;
            }
            rest.next = following(arguments, &page);
        }
    }

    /// All items.
    ///
    /// # Errors
    /// As [`Pager::next`].
    pub async fn all(mut self) -> Result<Vec<T>> {
        let mut all = Vec::new();
        while let Some(item) = self.next().await? {
            all.push(item);
        }
        Ok(all)
    }
}

impl<T, With> fmt::Debug for Pager<T, With> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method.name)
    }
}

impl Postgres {
    /// One page, as it is on the wire.
    pub(super) async fn page(
        &self,
        method: &'static Method,
        mut arguments: Object,
        timeout: Option<Duration>,
    ) -> Result<Value> {
        let prefetch = arguments.remove(PREFETCH) == Some(Value::Bool(true));
        let here = self.client().0.ahead.take(&key(method, &arguments));
        let deadline = self.client().deadline(timeout);
        let fetched = match here {
            // A page that failed ahead of its time is asked for again, now that it is wanted.
            Some(mut here) => {
                let clock = self.client().clock();
                deadline
                    .limit(clock, &mut here.0)
                    .await
                    .and_then(|joined| joined.ok()?.ok())
            }
            None => None,
        };
        let mut page = if let Some(page) = fetched {
            page
        } else {
            let left = deadline.left(self.client().clock());
            self.send(method, arguments.clone(), Some(left)).await?.body
        };
        match following(&arguments, &page) {
            Some(next) if prefetch => self.fetch_ahead(method, next, timeout),
            Some(_) => {}
            None => {
                if let Some(page) = page.as_object_mut() {
                    page.remove(NEXT_TOKEN);
                }
            }
        }
        Ok(page)
    }

    fn fetch_ahead(&self, method: &'static Method, next: Object, timeout: Option<Duration>) {
        let (this, key) = (self.clone(), key(method, &next));
        let fetching = tokio::spawn(async move {
            let sent = this.send(method, next, timeout).await;
            sent.map(|sent| sent.body)
        });
        self.client().0.ahead.put(key, Fetching(fetching));
    }
}

/// The arguments of the page after this one, if there is one. A service that repeats a token would keep us for ever.
fn following(arguments: &Object, page: &Value) -> Option<Object> {
    let token = page
        .get(NEXT_TOKEN)?
        .as_str()
        .filter(|token| !token.is_empty())?;
    if arguments.get(TOKEN).and_then(Value::as_str) == Some(token) {
        return None;
    }
    let mut next = arguments.clone();
    next.insert(TOKEN.to_owned(), token.into());
    Some(next)
}

fn key(method: &Method, arguments: &Object) -> String {
    format!("{} {}", method.name, Value::Object(arguments.clone()))
}

/// Pages under way that nobody has asked for yet, by method and arguments.
#[derive(Default)]
pub(crate) struct Ahead(Mutex<VecDeque<(String, Fetching)>>);

/// Ends with whoever wanted it.
struct Fetching(JoinHandle<Result<Value>>);

impl Drop for Fetching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Ahead {
    fn take(&self, key: &str) -> Option<Fetching> {
        let mut ahead = lock(&self.0);
        let at = ahead.iter().position(|(one, _)| one == key)?;
        ahead.remove(at).map(|(_, fetching)| fetching)
    }

    fn put(&self, key: String, fetching: Fetching) {
        let mut ahead = lock(&self.0);
        // Of two the later is the true one.
        ahead.retain(|(one, _)| *one != key);
        ahead.push_back((key, fetching));
        if ahead.len() > MOST_AHEAD {
            ahead.pop_front();
        }
    }
}
