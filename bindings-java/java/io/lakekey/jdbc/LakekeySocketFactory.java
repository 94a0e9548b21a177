package io.lakekey.jdbc;

import io.lakekey.ConnectParams;
import io.lakekey.LakekeyException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketAddress;
import java.net.UnknownHostException;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import javax.net.SocketFactory;

/**
 * pgjdbc's {@code socketFactory} that dials the addresses which lakekey found for the database's host, instead of asking the system
 * for them. TLS and its server name stay those of the host in the URL.
 *
 * <p>{@link LakekeyDataSource} and {@code jdbc:lakekey:} use it by themselves. With a plain {@code jdbc:postgresql:} URL give it
 * beside {@link LakekeyAuthenticationPlugin}; it looks {@code lakekey.target} up.
 */
public final class LakekeySocketFactory extends SocketFactory {
    /** How long a dial may take where nobody says it. */
    private static final int USUAL_MS = 10_000;

    private final Properties properties;

    /**
     * Called by pgjdbc, for each connection.
     *
     * @param properties the connection's
     */
    public LakekeySocketFactory(Properties properties) {
        this.properties = properties;
    }

    @Override
    public Socket createSocket() throws IOException {
        Pinned socket = new Pinned(addresses());
        String port = properties.getProperty(Settings.HOSTPORT);
        if (port == null || properties.getProperty("localSocketAddress") != null) {
            return socket;
        }
        // Connected already: pgjdbc would ask the system's resolver for the name first, and wait for it.
        return connected(socket, "lakekey", Integer.parseInt(port), timeout());
    }

    /** pgjdbc's own limit of a dial, in milliseconds. */
    private int timeout() {
        try {
            int seconds = Integer.parseInt(properties.getProperty("connectTimeout", "10"));
            return seconds > 0 ? Math.multiplyExact(seconds, 1000) : USUAL_MS;
        } catch (NumberFormatException | ArithmeticException odd) {
            return USUAL_MS;
        }
    }

    private List<InetAddress> addresses() throws IOException {
        String given = properties.getProperty(Settings.HOSTADDR);
        if (given == null) {
            given = found();
        }
        List<InetAddress> addresses = new ArrayList<>();
        for (String address : given.split(",")) {
            if (!address.isBlank()) {
                addresses.add(InetAddress.getByName(address.strip()));
            }
        }
        if (addresses.isEmpty()) {
            throw new UnknownHostException(Settings.HOSTADDR + " names no address");
        }
        return addresses;
    }

    private String found() throws IOException {
        try {
            Settings settings = Settings.of(properties);
            ConnectParams params = settings.client().connectParams(settings.request());
            return params.get("hostaddr").orElseThrow(() -> new UnknownHostException("lakekey found no address"));
        } catch (LakekeyException | SQLException problem) {
            throw new IOException(problem.getMessage(), problem);
        }
    }

    @Override
    public Socket createSocket(String host, int port) throws IOException {
        return dialled(host, port);
    }

    @Override
    public Socket createSocket(String host, int port, InetAddress localHost, int localPort) throws IOException {
        throw new IOException("lakekey's sockets choose their own local address");
    }

    @Override
    public Socket createSocket(InetAddress host, int port) throws IOException {
        return dialled(host.getHostName(), port);
    }

    @Override
    public Socket createSocket(InetAddress address, int port, InetAddress localAddress, int localPort)
            throws IOException {
        throw new IOException("lakekey's sockets choose their own local address");
    }

    private Socket dialled(String host, int port) throws IOException {
        return connected(new Pinned(addresses()), host, port, 0);
    }

    private static Socket connected(Socket socket, String host, int port, int timeout) throws IOException {
        try {
            socket.connect(InetSocketAddress.createUnresolved(host, port), timeout);
            return socket;
        } catch (IOException failure) {
            socket.close();
            throw failure;
        }
    }

    /** Whatever name it is told to dial, it dials its own addresses, one after the other. */
    private static final class Pinned extends Socket {
        private final List<InetAddress> addresses;

        Pinned(List<InetAddress> addresses) {
            this.addresses = addresses;
        }

        @Override
        public void connect(SocketAddress endpoint) throws IOException {
            connect(endpoint, 0);
        }

        @Override
        public void connect(SocketAddress endpoint, int timeout) throws IOException {
            // A socket that failed to connect cannot be used again, so only a list of one is told by its own failure.
            InetAddress address = addresses.size() == 1 ? addresses.get(0) : reachable(endpoint, timeout);
            super.connect(new InetSocketAddress(address, ((InetSocketAddress) endpoint).getPort()), timeout);
        }

        private InetAddress reachable(SocketAddress endpoint, int timeout) throws IOException {
            IOException failed = null;
            int share = timeout == 0 ? USUAL_MS : Math.max(1, timeout / addresses.size());
            for (InetAddress address : addresses) {
                try (Socket trial = new Socket()) {
                    trial.connect(new InetSocketAddress(address, ((InetSocketAddress) endpoint).getPort()), share);
                    return address;
                } catch (IOException failure) {
                    if (failed != null) {
                        failure.addSuppressed(failed);
                    }
                    failed = failure;
                }
            }
            throw failed;
        }
    }
}
