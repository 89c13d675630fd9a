import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.security.MessageDigest;
import java.util.Arrays;
import net.jpountz.lz4.LZ4Compressor;
import net.jpountz.lz4.LZ4Factory;
import org.xerial.snappy.SnappyOutputStream;

/** Compress LOG: native codecs through JNI (Debian's jars), a thread each. */
public class Compress {
    private static final int CHUNK = 256 * 1024;
    private static final int CHUNKS = 100;
    private static final int CALLS = 150;

    /** One call: what it returns goes into the thread's hash. */
    interface Codec {
        byte[] compress(byte[] chunk) throws Exception;
    }

    interface Wrapper {
        OutputStream wrap(OutputStream out) throws Exception;
    }

    private static Codec stream(Wrapper wrapper) {
        return chunk -> {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream(CHUNK);
            try (OutputStream out = wrapper.wrap(bytes)) {
                out.write(chunk);
            }
            return bytes.toByteArray();
        };
    }

    private static Codec lz4() {
        LZ4Compressor compressor = LZ4Factory.nativeInstance().fastCompressor();
        return chunk -> {
            byte[] out = new byte[compressor.maxCompressedLength(chunk.length)];
            int size = compressor.compress(chunk, 0, chunk.length, out, 0);
            return Arrays.copyOf(out, size);
        };
    }

    private static String hashOfCalls(byte[] log, Codec codec) throws Exception {
        MessageDigest hash = MessageDigest.getInstance("SHA-256");
        for (int i = 0; i < CALLS; i++) {
            int start = i % CHUNKS * CHUNK;
            hash.update(codec.compress(Arrays.copyOfRange(log, start, start + CHUNK)));
        }
        StringBuilder text = new StringBuilder();
        for (byte b : hash.digest()) text.append(String.format("%02x", b));
        return text.toString();
    }

    public static void main(String[] arguments) throws Exception {
        byte[] log = Files.readAllBytes(Paths.get(arguments[0]));
        String[] names = {"zstd", "zstd-stream", "snappy-stream", "lz4"};
        Codec[] codecs = {
            chunk -> Zstd.compress(chunk, 3),
            stream(out -> new ZstdOutputStream(out, 3)),
            stream(SnappyOutputStream::new),
            lz4()
        };
        String[] results = new String[names.length];
        Thread[] threads = new Thread[names.length];
        for (int i = 0; i < names.length; i++) {
            int n = i;
            threads[n] = new Thread(() -> {
                try {
                    results[n] = hashOfCalls(log, codecs[n]);
                } catch (Throwable e) {
                    results[n] = e.toString();
                }
            }, names[n]);
            threads[n].start();
        }
        for (Thread t : threads) t.join();
        for (int i = 0; i < names.length; i++) System.out.println(names[i] + " " + results[i]);
    }
}
