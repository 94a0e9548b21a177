package io.lakekey;

import io.lakekey.postgres.Postgres;
import java.lang.ref.Reference;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.ToLongFunction;

/**
 * Mints, keeps and rotates database credentials. Making one does no I/O and starts no thread.
 *
 * <p>Clients of one process share credentials, so one per pool is as good as one for all. All methods may be called by any
 * thread at any time, {@link #close} as well: calls under way then end by themselves, later ones throw
 * {@link LakekeyException.Closed}.
 *
 * <p>A call that has to wait parks its thread, so virtual threads give their carrier back. An interrupt ends the wait with
 * {@link LakekeyException.Cancelled} and leaves the thread interrupted. The {@code ...Async} methods never wait: what they
 * have to say, an unusable argument too, comes by their future; cancelling or completing that ends the call. What others wait
 * for as well goes on.
 *
 * <p>All methods throw {@link LakekeyException}, whose slug says what went wrong: {@code AUTH_DENIED},
 * {@code TARGET_NOT_FOUND}, {@code HTTP_CONNECT}, {@code TIMEOUT}, ...
 */
public final class LakekeyClient implements AutoCloseable {
    private final long number;
    private final Forgotten open;
    private final Executor executor;

    // Held for the library, which holds it weakly.
    private final Source source;

    /** Tokens that were handed out again without the library, by all clients. */
    private static final LongAdder REPEATS = new LongAdder();

    /** The text that was looked up last, while the library's stamp stays the same. */
    private volatile Shown shown;

    private record Shown(long stamp, String target, String token) {
        /** {@return a text without the token} */
        @Override
        public String toString() {
            return "Shown[target=" + target + "]";
        }
    }

    private LakekeyClient(long number, Source source, Executor executor) {
        this.number = number;
        this.source = source;
        this.executor = executor;
        this.open = Forgotten.watch(this, number);
    }

    /**
     * {@return a client with everything from the environment and {@code ~/.databrickscfg}}
     */
    public static LakekeyClient create() {
        return create(ClientOptions.builder().build());
    }

    /**
     * {@return a client}
     *
     * @param options what it is made from
     */
    public static LakekeyClient create(ClientOptions options) {
        NativeLibrary.load();
        long number = Native.open(
                options.pairs(),
                options.target,
                ConnectRequest.millis(options.timeout),
                options.product,
                options.sharedCredentials,
                options.source);
        Executor executor = options.executor == null ? new CompletableFuture<>().defaultExecutor() : options.executor;
        return new LakekeyClient(number, options.source, executor);
    }

    /**
     * {@return a database credential's token: the password of one login}
     */
    public String token() {
        return token((String) null);
    }

    /**
     * {@return a database credential's token: the password of one login}
     *
     * @param target the database server; null for the client's own
     */
    public String token(String target) {
        // Taken before the look, so that what happens meanwhile is not missed.
        long stamp = Native.stamp();
        Shown last = shown;
        if (last != null && last.stamp == stamp && Objects.equals(last.target, target)) {
            REPEATS.increment();
            return last.token;
        }
        String token = peek(target);
        if (token == null) {
            return credential(target).token();
        }
        if (stamp != Native.NO_STAMP) {
            // The same text again, so that those who keep it share it.
            if (last != null && last.token.equals(token)) {
                token = last.token;
            }
            shown = new Shown(stamp, target, token);
        }
        LakekeyLog.handOver();
        return token;
    }

    /**
     * {@return a database credential's token: the password of one login}
     *
     * @param request its target, ttl and timeout count
     */
    public String token(ConnectRequest request) {
        return credential(request).token();
    }

    /** {@return the token, later} */
    public CompletableFuture<String> tokenAsync() {
        return tokenAsync((String) null);
    }

    /**
     * {@return the token, later}
     *
     * @param target the database server; null for the client's own
     */
    public CompletableFuture<String> tokenAsync(String target) {
        return tokenAsync(ConnectRequest.of(target));
    }

    /**
     * {@return the token, later}
     *
     * @param request its target, ttl and timeout count
     */
    public CompletableFuture<String> tokenAsync(ConnectRequest request) {
        return Answer.begin(executor, credentialOf(request), Credential::token);
    }

    /** {@return a database credential with its times and identity} */
    public Credential credential() {
        return credential(ConnectRequest.usual());
    }

    /**
     * {@return a database credential with its times and identity}
     *
     * @param target the database server; null for the client's own
     */
    public Credential credential(String target) {
        return credential(ConnectRequest.of(target));
    }

    /**
     * {@return a database credential with its times and identity}
     *
     * @param request its target, ttl and timeout count
     */
    public Credential credential(ConnectRequest request) {
        return Answer.await(credentialOf(request));
    }

    /** {@return a credential, later} */
    public CompletableFuture<Credential> credentialAsync() {
        return credentialAsync(ConnectRequest.usual());
    }

    /**
     * {@return a credential, later}
     *
     * @param request its target, ttl and timeout count
     */
    public CompletableFuture<Credential> credentialAsync(ConnectRequest request) {
        return Answer.begin(executor, credentialOf(request), credential -> credential);
    }

    /** {@return everything that a driver needs for one login} */
    public ConnectParams connectParams() {
        return connectParams(ConnectRequest.usual());
    }

    /**
     * {@return everything that a driver needs for one login}
     *
     * @param target the database server; null for the client's own
     */
    public ConnectParams connectParams(String target) {
        return connectParams(ConnectRequest.of(target));
    }

    /**
     * {@return everything that a driver needs for one login}
     *
     * @param request what the connection may differ in
     */
    public ConnectParams connectParams(ConnectRequest request) {
        return Answer.await(connectOf(request));
    }

    /** {@return everything that a driver needs for one login, later} */
    public CompletableFuture<ConnectParams> connectParamsAsync() {
        return connectParamsAsync(ConnectRequest.usual());
    }

    /**
     * {@return everything that a driver needs for one login, later}
     *
     * @param request what the connection may differ in
     */
    public CompletableFuture<ConnectParams> connectParamsAsync(ConnectRequest request) {
        return Answer.begin(executor, connectOf(request), params -> params);
    }

    /** Starts what a first login needs and returns at once; errors are left to that login. */
    public void prepare() {
        prepare(ConnectRequest.usual());
    }

    /**
     * Starts what a first such login needs and returns at once; errors are left to that login.
     *
     * @param request what the connection may differ in
     */
    public void prepare(ConnectRequest request) {
        try {
            Native.prepare(
                    number,
                    request.texts(),
                    request.nativePort(),
                    ConnectRequest.millis(request.ttl()),
                    ConnectRequest.millis(request.timeout()));
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /**
     * {@return a connect under way, for a driver that dials for itself}
     *
     * <p>No I/O; its budget runs from here. End it with {@link ConnectPlan#close}.
     *
     * @param request what the connection may differ in; its timeout bounds what is looked up before each dial
     * @param budget how long the whole connect may take, waits and all attempts included; null for 30 seconds
     */
    public ConnectPlan plan(ConnectRequest request, Duration budget) {
        try {
            long plan = Native.plan(
                    number,
                    request.texts(),
                    request.nativePort(),
                    ConnectRequest.millis(request.ttl()),
                    ConnectRequest.millis(request.timeout()),
                    ConnectRequest.millis(budget));
            return new ConnectPlan(plan, this);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Takes a token out of the cache because Postgres refused it.
     *
     * @param token the token
     * @return whether a fresh one is due, so that one more login is worth trying
     */
    public boolean invalidate(String token) {
        try {
            return Native.invalidate(number, token);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /**
     * {@return a client that is the user of this token and nobody else}
     *
     * <p>It has credentials of its own, never falls back to the app's identity, and ends with the token. The 1000 users of the
     * last calls are kept, so call this anew for each request.
     *
     * @param token such as the one in an app's {@code X-Forwarded-Access-Token} header
     */
    public LakekeyClient asUser(String token) {
        try {
            return new LakekeyClient(Native.asUser(number, token), source, executor);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** {@return the management API of the client's workspace, typed} */
    public Postgres postgres() {
        return new Postgres(this);
    }

    /**
     * Calls the management API by names and JSON, which {@link #postgres} does with types.
     *
     * @param method its name in the API, such as {@code list_branches}
     * @param arguments a JSON object: the path's parameter, those of the query, and the resource under its own name
     * @return the JSON of the answer; of a method that takes time, an operation for {@link #waitOperation}
     */
    public String call(String method, String arguments) {
        return call(method, arguments, null);
    }

    /**
     * Calls the management API.
     *
     * @param method its name in the API, such as {@code list_branches}
     * @param arguments a JSON object: the path's parameter, those of the query, and the resource under its own name
     * @param timeout how long to wait, to the millisecond; null for the client's usual
     * @return the JSON of the answer; of a method that takes time, an operation for {@link #waitOperation}
     */
    public String call(String method, String arguments, Duration timeout) {
        return Answer.await(callOf(method, arguments, timeout));
    }

    /**
     * Calls the management API.
     *
     * @param method its name in the API, such as {@code list_branches}
     * @param arguments a JSON object: the path's parameter, those of the query, and the resource under its own name
     * @param timeout how long to wait, to the millisecond; null for the client's usual
     * @return the JSON of the answer, later
     */
    public CompletableFuture<String> callAsync(String method, String arguments, Duration timeout) {
        return Answer.begin(executor, callOf(method, arguments, timeout), Function.<String>identity());
    }

    /**
     * Waits for an operation of the management API; it goes on when the wait is given up.
     *
     * @param operation the JSON that the method gave
     * @param timeout how long to wait, to the millisecond; null for the usual
     * @return the JSON that it ends with: the resource, or an empty object
     */
    public String waitOperation(String operation, Duration timeout) {
        return waitOperation(operation, timeout, null);
    }

    /**
     * Waits for an operation of the management API; it goes on when the wait is given up.
     *
     * @param operation the JSON that the method gave
     * @param timeout how long to wait, to the millisecond; null for the usual
     * @param progress told of the unfinished operation now and then on this thread, as JSON: {@code name},
     *     {@code waited_ms}, {@code metadata}; what it throws ends the wait; null for nobody
     * @return the JSON that it ends with: the resource, or an empty object
     */
    public String waitOperation(String operation, Duration timeout, Consumer<String> progress) {
        return Answer.await(operationOf(operation, timeout, progress != null), progress);
    }

    /**
     * Waits for an operation of the management API.
     *
     * @param operation the JSON that the method gave
     * @param timeout how long to wait, to the millisecond; null for the usual
     * @return the JSON that it ends with, later
     */
    public CompletableFuture<String> waitOperationAsync(String operation, Duration timeout) {
        return waitOperationAsync(operation, timeout, null);
    }

    /**
     * Waits for an operation of the management API.
     *
     * @param operation the JSON that the method gave
     * @param timeout how long to wait, to the millisecond; null for the usual
     * @param progress told of the unfinished operation now and then by the executor, one after the other; what it throws
     *     ends the wait; null for nobody
     * @return the JSON that it ends with, later
     */
    public CompletableFuture<String> waitOperationAsync(
            String operation, Duration timeout, Consumer<String> progress) {
        return Answer.begin(
                executor, operationOf(operation, timeout, progress != null), Function.<String>identity(), progress);
    }

    /** {@return what was counted in this process since it began, over all its clients: mints, logins, failures, waits, ages} */
    public Stats stats() {
        Stats.Taker taker = new Stats.Taker();
        try {
            Native.stats(number, taker);
        } finally {
            Reference.reachabilityFence(this);
        }
        return taker.stats(REPEATS.sum());
    }

    /** {@return the last events of this process, oldest first, each with its time; no secrets} */
    public List<String> recentEvents() {
        try {
            return List.of(Native.recentEvents(number));
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** Ends the client: later calls throw {@link LakekeyException.Closed}. Harmless when repeated, and from any thread. */
    @Override
    public void close() {
        open.close();
        shown = null;
    }

    private String peek(String target) {
        try {
            return Native.peek(number, target);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    private ToLongFunction<Answer<Credential>> credentialOf(ConnectRequest request) {
        return answer -> {
            try {
                return Native.credential(
                        number,
                        request.target(),
                        ConnectRequest.millis(request.ttl()),
                        ConnectRequest.millis(request.timeout()),
                        answer);
            } finally {
                Reference.reachabilityFence(this);
            }
        };
    }

    private ToLongFunction<Answer<ConnectParams>> connectOf(ConnectRequest request) {
        return answer -> {
            try {
                return Native.connect(
                        number,
                        request.texts(),
                        request.nativePort(),
                        ConnectRequest.millis(request.ttl()),
                        ConnectRequest.millis(request.timeout()),
                        answer);
            } finally {
                Reference.reachabilityFence(this);
            }
        };
    }

    private ToLongFunction<Answer<String>> callOf(String method, String arguments, Duration timeout) {
        return answer -> {
            try {
                return Native.call(number, method, arguments, ConnectRequest.millis(timeout), answer);
            } finally {
                Reference.reachabilityFence(this);
            }
        };
    }

    private ToLongFunction<Answer<String>> operationOf(String operation, Duration timeout, boolean told) {
        return answer -> {
            try {
                return Native.waitOperation(number, operation, ConnectRequest.millis(timeout), told, answer);
            } finally {
                Reference.reachabilityFence(this);
            }
        };
    }
}
