package io.lakekey.r2dbc;

import io.lakekey.ConnectRequest;
import io.lakekey.LakekeyClient;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.reactivestreams.Publisher;
import org.reactivestreams.Subscriber;
import org.reactivestreams.Subscription;

/**
 * The password of r2dbc-postgresql: each subscription, and so each connection, gets a current credential.
 *
 * <pre>{@code
 * ConnectParams params = client.connectParams(target);
 * PostgresqlConnectionConfiguration.builder()
 *     .host(params.get("host").orElseThrow())
 *     .username(params.user())
 *     .password(new LakekeyPassword(client, ConnectRequest.of(target)))
 * }</pre>
 *
 * <p>The driver resolves the host by itself, and dials once: lakekey has no say in addresses there, nor in what follows a refused login.
 */
public final class LakekeyPassword implements Publisher<CharSequence> {
    private final LakekeyClient client;
    private final ConnectRequest request;

    /**
     * A password for a target, with everything else from the environment.
     *
     * @param target such as {@code projects/shop/branches/production}
     */
    public LakekeyPassword(String target) {
        this(LakekeyClient.create(), ConnectRequest.of(target));
    }

    /**
     * A password.
     *
     * @param client who mints
     * @param request its target, ttl and timeout count
     */
    public LakekeyPassword(LakekeyClient client, ConnectRequest request) {
        this.client = Objects.requireNonNull(client, "client");
        this.request = Objects.requireNonNull(request, "request");
    }

    @Override
    public void subscribe(Subscriber<? super CharSequence> subscriber) {
        Objects.requireNonNull(subscriber, "subscriber");
        subscriber.onSubscribe(new Once(subscriber));
    }

    private final class Once implements Subscription {
        private final Subscriber<? super CharSequence> subscriber;
        private final AtomicBoolean asked = new AtomicBoolean();
        private volatile CompletableFuture<String> token;
        private volatile boolean cancelled;

        Once(Subscriber<? super CharSequence> subscriber) {
            this.subscriber = subscriber;
        }

        @Override
        public void request(long count) {
            if (cancelled || !asked.compareAndSet(false, true)) {
                return;
            }
            if (count <= 0) {
                subscriber.onError(new IllegalArgumentException("a subscriber asked for " + count + " elements"));
                return;
            }
            CompletableFuture<String> minted = client.tokenAsync(request);
            token = minted;
            if (cancelled) {
                minted.cancel(true);
            }
            minted.whenComplete(this::tell);
        }

        private void tell(String text, Throwable problem) {
            if (cancelled || problem instanceof CancellationException) {
                return;
            }
            if (problem == null) {
                subscriber.onNext(text);
                subscriber.onComplete();
            } else {
                boolean wrapped = problem instanceof CompletionException && problem.getCause() != null;
                subscriber.onError(wrapped ? problem.getCause() : problem);
            }
        }

        @Override
        public void cancel() {
            cancelled = true;
            CompletableFuture<String> minted = token;
            if (minted != null) {
                minted.cancel(true);
            }
        }
    }
}
