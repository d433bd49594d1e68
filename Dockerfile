# Training in a container. Written for, but not yet built on, a machine with Docker and NVIDIA's container toolkit:
#   docker build -t pcl_tf .
#   docker run --gpus all -v "$PWD/data:/data" -v "$PWD/runs:/runs" pcl_tf --recipe=vox64 --data=/data --workdir=/runs/vox64
# Without a GPU: docker build --build-arg EXTRA= -t pcl_tf .
FROM python:3.12-slim
ARG EXTRA=[gpu]
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY pcl_tf pcl_tf
COPY recipes recipes
RUN pip install --no-cache-dir ".${EXTRA}" && rm -rf /source
# Nobody's number but root's owns more than it needs; docker run --user=$(id -u) where /runs is yours.
RUN useradd --create-home pcl && install -d -o pcl /runs
USER pcl
WORKDIR /runs
ENTRYPOINT ["pcl-train"]
