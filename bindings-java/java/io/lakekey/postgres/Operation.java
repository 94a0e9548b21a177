package io.lakekey.postgres;

import io.lakekey.LakekeyClient;
import io.lakekey.LakekeyException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * What takes longer than a request. It goes on in the service whether anybody waits or not, so a wait that ends early loses
 * nothing: {@link Postgres#operation} waits again by the name, in another process too.
 *
 * @param <T> what it ends with; {@link Void}, of which there is only null, where nothing is made
 */
public final class Operation<T> {
    private final LakekeyClient client;
    private final Map<String, Object> json;
    private final Function<Map<String, Object>, T> kind;

    Operation(LakekeyClient client, Map<String, Object> json, Function<Map<String, Object>, T> kind) {
        this.client = client;
        this.json = json;
        this.kind = kind;
    }

    /** {@return its name; empty if the answer that told it was lost} */
    public String name() {
        return json.get("name") instanceof String name ? name : "";
    }

    /** {@return the name of the resource that it is about} */
    public Optional<String> resource() {
        return Optional.ofNullable((String) json.get("resource"));
    }

    /** {@return it as the service told it: whether it had ended, and with what} */
    public OperationRecord record() {
        return new OperationRecord(json);
    }

    /**
     * Waits for its end, for 20 minutes at most.
     *
     * @return what it ended with
     * @throws LakekeyException {@code OPERATION_FAILED} with the service's own code in its text; {@code TIMEOUT};
     *     {@code CANCELLED} when the thread is interrupted
     */
    public T waitFor() {
        return waitFor(null, null);
    }

    /**
     * Waits for its end.
     *
     * @param timeout how long, to the millisecond; null for 20 minutes
     * @return what it ended with
     * @throws LakekeyException as {@link #waitFor()}
     */
    public T waitFor(Duration timeout) {
        return waitFor(timeout, null);
    }

    /**
     * Waits for its end.
     *
     * @param timeout how long, to the millisecond; null for 20 minutes
     * @param progress told now and then on this thread; what it throws ends the wait; null for nobody
     * @return what it ended with
     * @throws LakekeyException as {@link #waitFor()}
     */
    public T waitFor(Duration timeout, Consumer<? super Progress> progress) {
        return ended(client.waitOperation(Json.text(json), timeout, telling(progress)));
    }

    /**
     * Waits for its end. Cancelling the future ends the wait and not the operation.
     *
     * @param timeout how long, to the millisecond; null for 20 minutes
     * @param progress told now and then by the client's executor; what it throws ends the wait; null for nobody
     * @return what it ended with, later; else a {@link LakekeyException} as {@link #waitFor()} throws it
     */
    public CompletableFuture<T> waitAsync(Duration timeout, Consumer<? super Progress> progress) {
        CompletableFuture<String> answer = client.waitOperationAsync(Json.text(json), timeout, telling(progress));
        CompletableFuture<T> ended = answer.thenApply(this::ended);
        ended.whenComplete((value, problem) -> answer.cancel(false));
        return ended;
    }

    private T ended(String text) {
        return kind.apply(Json.object(text));
    }

    private static Consumer<String> telling(Consumer<? super Progress> progress) {
        return progress == null ? null : told -> progress.accept(Progress.of(told));
    }

    /** {@return its name and whether it had ended} */
    @Override
    public String toString() {
        return "Operation[name=" + name() + ", done=" + Boolean.TRUE.equals(json.get("done")) + "]";
    }
}
