package io.lakekey;

import java.lang.ref.Reference;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.ToLongFunction;

/**
 * One call under way. The library calls one of {@link #credential}, {@link #connect}, {@link #attempt}, {@link #text} and
 * {@link #failed}, once, and {@link #progress} before it: on the caller's own thread where all facts are at hand, else on a
 * thread of the library's, on which no code of a user ever runs.
 */
final class Answer<T> {
    /** What the library gave: a {@link Failure} or the result. */
    private final CompletableFuture<Object> given = new CompletableFuture<>();

    /** What takes texts about how it goes to whoever wants them. */
    private final Consumer<String> told;

    private volatile long patience;

    private Answer(Consumer<String> told) {
        this.told = told;
    }

    // Called by the library.

    void patience(long millis) {
        patience = millis;
    }

    void credential(String token, long issuedAt, long expiresAt, String endpoint, String subject) {
        given.complete(new Credential(
                token,
                Instant.ofEpochMilli(issuedAt),
                Instant.ofEpochMilli(expiresAt),
                endpoint,
                Optional.ofNullable(subject)));
    }

    void connect(
            String[] pairs, String password, boolean cached, String user, String subject, String conninfo) {
        given.complete(new ConnectParams(
                keywords(pairs), password, cached, user, Optional.ofNullable(subject), conninfo));
    }

    void attempt(
            String[] pairs,
            String host,
            String address,
            int port,
            String user,
            String password,
            String subject,
            boolean cached,
            long timeout,
            int number) {
        given.complete(new ConnectPlan.Attempt(
                keywords(pairs),
                host,
                Optional.ofNullable(address),
                port,
                user,
                password,
                Optional.ofNullable(subject),
                cached,
                Duration.ofMillis(timeout),
                number));
    }

    private static Map<String, String> keywords(String[] pairs) {
        Map<String, String> keywords = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            keywords.put(pairs[i], pairs[i + 1]);
        }
        return Collections.unmodifiableMap(keywords);
    }

    void progress(String text) {
        told.accept(text);
    }

    void text(String text) {
        given.complete(text);
    }

    void failed(
            int code,
            String slug,
            String message,
            String hint,
            int httpStatus,
            String requestId,
            boolean retryable,
            String[] causes,
            long thrown,
            String[] events,
            String[] login,
            String apiCode,
            String details) {
        Explanation explanation = Explanation.of(login, hint);
        given.complete(new Failure(
                code, slug, message, hint, httpStatus, requestId, retryable, causes, thrown, events, explanation, apiCode,
                details));
    }

    /** Begins a call and waits for it: parked, so that a virtual thread gives its carrier back. An interrupt ends the wait. */
    static <T> T await(ToLongFunction<Answer<T>> begin) {
        return await(begin, null);
    }

    /** The same; {@code progress} is told how it goes on the caller's thread, and what it throws ends the wait. */
    static <T> T await(ToLongFunction<Answer<T>> begin, Consumer<String> progress) {
        BlockingQueue<Optional<String>> news = new LinkedBlockingQueue<>();
        Answer<T> answer = new Answer<>(text -> news.add(Optional.of(text)));
        long call = begin.applyAsLong(answer);
        try {
            if (call != 0 && progress != null) {
                answer.given.thenRun(() -> news.add(Optional.empty()));
                answer.tellUntilTheEnd(news, progress);
            }
            return call == 0 ? answer.result() : answer.later();
        } catch (InterruptedException interrupt) {
            Thread.currentThread().interrupt();
            throw Failure.cancelled("the thread was interrupted while it waited").exception(interrupt);
        } finally {
            Native.cancel(call);
            // It holds the client, which must not be closed as forgotten meanwhile.
            Reference.reachabilityFence(begin);
            LakekeyLog.handOver();
        }
    }

    /** Begins a call. Its future is completed by the executor; when others complete or cancel it, the call ends. */
    static <T, R> CompletableFuture<R> begin(
            Executor executor, ToLongFunction<Answer<T>> begin, Function<T, R> convert) {
        return begin(executor, begin, convert, null);
    }

    /** The same; {@code progress} is told how it goes by the executor, and what it throws ends the call. */
    static <T, R> CompletableFuture<R> begin(
            Executor executor, ToLongFunction<Answer<T>> begin, Function<T, R> convert, Consumer<String> progress) {
        CompletableFuture<R> future = new CompletableFuture<>();
        Answer<T> answer = new Answer<>(new InOrder(executor, future, progress));
        long call;
        try {
            call = begin.applyAsLong(answer);
        } catch (LakekeyException problem) {
            future.completeExceptionally(problem);
            return future;
        }
        if (call == 0) {
            answer.tell(future, convert);
            return future;
        }
        future.whenComplete((value, problem) -> {
            Native.cancel(call);
            Reference.reachabilityFence(begin);
        });
        answer.given.thenRun(() -> {
            Runnable tell = () -> answer.tell(future, convert);
            try {
                executor.execute(tell);
            } catch (RuntimeException | Error shutDown) {
                // Somebody waits for the future all the same, and what follows it must not run on this thread.
                try {
                    future.defaultExecutor().execute(tell);
                } catch (RuntimeException | Error noThread) {
                    future.completeExceptionally(noThread);
                }
            }
        });
        return future;
    }

    /** Texts one after the other by an executor, until the future is complete. */
    private static final class InOrder implements Consumer<String> {
        private final Executor executor;
        private final CompletableFuture<?> future;
        private final Consumer<String> progress;
        private CompletableFuture<Void> last = CompletableFuture.completedFuture(null);

        InOrder(Executor executor, CompletableFuture<?> future, Consumer<String> progress) {
            this.executor = executor;
            this.future = future;
            this.progress = progress;
        }

        @Override
        public synchronized void accept(String text) {
            try {
                last = last.thenRunAsync(() -> tell(text), executor);
            } catch (RuntimeException | Error shutDown) {
                // The end is told all the same.
                last = CompletableFuture.completedFuture(null);
            }
        }

        private void tell(String text) {
            try {
                if (!future.isDone()) {
                    progress.accept(text);
                }
            } catch (RuntimeException | Error problem) {
                future.completeExceptionally(problem);
            }
        }
    }

    private void tellUntilTheEnd(BlockingQueue<Optional<String>> news, Consumer<String> progress)
            throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(patience);
        while (true) {
            Optional<String> text = news.poll(end - System.nanoTime(), TimeUnit.NANOSECONDS);
            if (text == null) {
                throw starved(null);
            }
            if (text.isEmpty()) {
                return;
            }
            progress.accept(text.get());
        }
    }

    private LakekeyException starved(TimeoutException late) {
        return Failure.timeout(
                        "no answer from lakekey's threads within " + patience + " ms",
                        "They are starved or stopped: look at the load of this machine and the limits of this process")
                .exception(late);
    }

    private T later() throws InterruptedException {
        try {
            given.get(patience, TimeUnit.MILLISECONDS);
        } catch (TimeoutException late) {
            throw starved(late);
        } catch (ExecutionException never) {
            throw new IllegalStateException(never);
        }
        return result();
    }

    private <R> void tell(CompletableFuture<R> future, Function<T, R> convert) {
        try {
            future.complete(convert.apply(result()));
        } catch (RuntimeException | Error problem) {
            future.completeExceptionally(problem);
        } finally {
            LakekeyLog.handOver();
        }
    }

    @SuppressWarnings("unchecked")
    private T result() {
        Object outcome = given.getNow(null);
        if (outcome instanceof Failure failure) {
            throw failure.exception();
        }
        return (T) outcome;
    }
}
