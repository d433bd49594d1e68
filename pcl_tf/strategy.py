"""The one place that chooses how a run is spread over devices."""

import os

import tensorflow as tf

# What TensorFlow raises on the machines that are left when one is gone.
PEER_ERRORS = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
)


def make_strategy(name: str = "auto") -> tf.distribute.Strategy:
    """The distribution strategy of a name.

    'one' device; 'mirrored' over all GPUs, or over the logical CPUs where there is none (PCL_LOGICAL_CPUS=2 tries two replicas
    without a GPU); 'multiworker' over the machines of TF_CONFIG, waiting for all; 'auto', mirrored from two GPUs on.
    """
    if name == "multiworker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if (count := int(os.environ.get("PCL_LOGICAL_CPUS", "1"))) > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if name == "mirrored" or (name == "auto" and len(gpus) > 1):
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([d.name for d in devices])
    return tf.distribute.get_strategy()  # the default: one device, no overhead


def spans_machines(strategy: tf.distribute.Strategy | None = None) -> bool:
    """Whether a strategy, by default the one at hand, spans machines."""
    return isinstance(strategy or tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy)


def all_reduce_max(strategy: tf.distribute.Strategy, value: float) -> float:
    """The largest of a number over all machines; each waits until all have called it."""
    if not spans_machines(strategy):
        return float(value)

    @tf.function
    def largest(x: tf.Tensor) -> tf.Tensor:
        def one() -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            return tf.reduce_max(context.all_gather(tf.reshape(x, [1]), axis=0))

        return strategy.experimental_local_results(strategy.run(one))[0]

    return float(largest(tf.constant(float(value), tf.float32)))


def barrier(strategy: tf.distribute.Strategy) -> None:
    """Waits until all machines have called it."""
    all_reduce_max(strategy, 0)
